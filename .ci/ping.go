//go:build ignore

// Command ping asks a Docker Engine at a unix socket whether it is there.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if err := ping(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ping(socket string) error {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(conn, "GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	status, _, _ := strings.Cut(string(answer[:n]), "\r\n")
	if !strings.Contains(status, " 200 ") {
		return fmt.Errorf("%s answers %s", socket, status)
	}
	return nil
}
