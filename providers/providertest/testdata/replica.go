// The replica is the program in the images that tests run: a server that ends on
// SIGTERM, or with arguments one of a few things that a test wants to see from
// inside a container.
//
//	replica               say "ready", answer 200 on :8080 until SIGTERM
//	replica wait          say "ready", end on SIGTERM
//	replica exit CODE     say "exit", end with the code
//	replica show FILE...  print environment, user, capabilities and files as JSON
//	replica flood LINES   print that many long lines on both streams
//	replica stubborn      say "ready", ignore SIGTERM
//	replica hog           take memory until it is killed
//	replica copy FROM TO  copy a file
//	replica networks      print the names of the network interfaces
//	replica talk GO       say "first", wait until the file GO is there, say "last"
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "wait":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		fmt.Println("ready")
		<-ctx.Done()
	case len(args) == 2 && args[0] == "exit":
		fmt.Println("exit")
		os.Exit(number(args[1]))
	case len(args) > 0 && args[0] == "show":
		show(args[1:])
	case len(args) == 2 && args[0] == "flood":
		for i := range number(args[1]) {
			fmt.Fprintln(os.Stdout, i, strings.Repeat("o", 1000))
			fmt.Fprintln(os.Stderr, i, strings.Repeat("e", 1000))
		}
	case len(args) == 1 && args[0] == "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		for {
			time.Sleep(time.Hour)
		}
	case len(args) == 1 && args[0] == "hog":
		hog()
	case len(args) == 3 && args[0] == "copy":
		copyFile(args[1], args[2])
	case len(args) == 1 && args[0] == "networks":
		networks()
	case len(args) == 2 && args[0] == "talk":
		talk(args[1])
	default:
		serve()
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func hog() {
	for kept := [][]byte{}; ; {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		kept = append(kept, block)
	}
}

func copyFile(from, to string) {
	content, err := os.ReadFile(from)
	check(err)
	check(os.WriteFile(to, content, 0o644))
}

func networks() {
	all, err := net.Interfaces()
	check(err)
	for _, one := range all {
		fmt.Println(one.Name)
	}
}

func talk(file string) {
	fmt.Println("first")
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "last")
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return n
}

func serve() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: ":8080", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Println("ready")
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// seen is what show prints. The field names are those of the test that reads it.
type seen struct {
	Env    []string
	UID    int
	Status map[string]string // of /proc/self/status
	Files  map[string]string // content, or the error
	Modes  map[string]string
	Write  string // the error of writing to the root
}

func show(files []string) {
	s := seen{Env: os.Environ(), UID: os.Getuid(), Status: map[string]string{}, Files: map[string]string{}, Modes: map[string]string{}}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		s.Status[name] = strings.TrimSpace(value)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			content = []byte("error: " + err.Error())
		}
		s.Files[name] = string(content)
		if info, err := os.Stat(name); err == nil {
			s.Modes[name] = info.Mode().String()
		}
	}
	if err := os.WriteFile("/written", nil, 0o600); err != nil {
		s.Write = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(s)
}
