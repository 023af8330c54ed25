// One static binary for all images of the test bed that hold nothing else. The first argument chooses what it does;
// scripts/testbed-kind.sh puts that argument into the images.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	commands := map[string]func([]string) error{
		"workload": workload,
		"ingress":  ingress,
		"network":  network,
		"pause":    pause,
	}
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	command, known := commands[name]
	if !known {
		fmt.Fprintf(os.Stderr, "unknown command %q: workload, ingress, network or pause\n", name)
		os.Exit(2)
	}
	// A first process of a container has no default reaction to signals; without one, each stop takes the grace period.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		os.Exit(0)
	}()
	if err := command(os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// pause holds a pod's namespaces, and reaps what is left to it.
func pause([]string) error {
	orphans := make(chan os.Signal, 1)
	signal.Notify(orphans, syscall.SIGCHLD)
	for range orphans {
		for {
			if reaped, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || reaped <= 0 {
				break
			}
		}
	}
	return nil
}
