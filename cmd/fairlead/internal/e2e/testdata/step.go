// The program of the steps that the end-to-end tests run. It does what its arguments
// say, one after the other:
//
//	make OUTPUT          a file in /out/OUTPUT that follows from all inputs and from
//	                     the variables of the environment that begin with X
//	write FILE TEXT      the text into /out/FILE
//	say TEXT             a line of the log
//	print BYTES          so much log, in lines
//	sleep DURATION
//	exit CODE
//	fail                 the exit code 7, unless an input file holds the word "good"
//	fill DIRECTORY       writes until there is no room, and ends with code 28
//	grow FILE            writes to /out/FILE for ever
//	eat BYTES            touches so much memory
//	stubborn             starts a child; neither minds SIGTERM, and both go on for ever
package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	for _, action := range os.Args[1:] {
		verb, rest, _ := strings.Cut(action, " ")
		if err := do(verb, rest); err != nil {
			fmt.Fprintln(os.Stderr, action+":", err)
			os.Exit(1)
		}
	}
}

func do(verb, rest string) error {
	switch verb {
	case "make":
		seen, err := seen()
		return errors.Join(err, os.WriteFile("/out/"+rest+"/data", []byte(seen), 0o644))
	case "write":
		file, text, _ := strings.Cut(rest, " ")
		return os.WriteFile("/out/"+file, []byte(text), 0o644)
	case "say":
		_, err := fmt.Println(rest)
		return err
	case "print":
		return print(rest)
	case "sleep":
		d, err := time.ParseDuration(rest)
		<-time.After(d)
		return err
	case "exit":
		code, err := strconv.Atoi(rest)
		if err == nil {
			os.Exit(code)
		}
		return err
	case "fail":
		return fail()
	case "fill":
		if err := pour(rest + "/fill"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(28)
		}
		return nil
	case "grow":
		return pour("/out/" + rest)
	case "eat":
		return eat(rest)
	case "stubborn":
		return stubborn()
	default:
		return errors.New("no such action")
	}
}

// seen is a text that follows from inputs and environment alone.
func seen() (string, error) {
	hash := sha256.New()
	err := filepath.WalkDir("/in", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		_, _ = fmt.Fprintf(hash, "%s %d\n%s\n", path, len(content), content)
		return err
	})
	text := fmt.Sprintf("inputs %x\n", hash.Sum(nil))
	for _, pair := range os.Environ() {
		if strings.HasPrefix(pair, "X") {
			text += pair + "\n"
		}
	}
	return text, err
}

func print(bytes string) error {
	n, err := strconv.ParseInt(bytes, 10, 64)
	line := strings.Repeat("all work and no play ", 200) + "\n"
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	for ; n > 0 && err == nil; n -= int64(len(line)) {
		_, err = w.WriteString(line)
	}
	return errors.Join(err, w.Flush())
}

func fail() error {
	good := false
	err := filepath.WalkDir("/in", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			content, _ := os.ReadFile(path)
			good = good || strings.Contains(string(content), "good")
		}
		return err
	})
	if !good {
		fmt.Println("there is nothing good in the input")
		os.Exit(7)
	}
	return err
}

func pour(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	for block := make([]byte, 1<<20); err == nil; {
		_, err = f.Write(block)
	}
	return errors.Join(err, f.Close())
}

func eat(bytes string) error {
	n, err := strconv.Atoi(bytes)
	if err != nil {
		return err
	}
	food := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		food[i] = 1
	}
	fmt.Println("eaten", len(food))
	return nil
}

func stubborn() error {
	signal.Ignore(syscall.SIGTERM)
	if os.Getenv("CHILD") == "" {
		child := exec.Command("/proc/self/exe", "stubborn")
		child.Env, child.Stdout = append(os.Environ(), "CHILD=1"), os.Stdout
		if err := child.Start(); err != nil {
			return err
		}
		fmt.Println("forked")
	}
	for {
		<-time.After(time.Hour)
	}
}
