package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// workload is what tests deploy. Every flag has a variable of the environment, for images whose arguments are fixed:
// -port is WORKLOAD_PORT, and so on.
//
//	web    (the default) serves a page whose first line is -text; GET /files/PATH answers with a file below -files,
//	       GET /environment/NAME with a variable, POST /files/PATH appends the body to a file, POST /exit ends it
//	job    ends with -status
//	crash  ends with -status, or 1
func workload(arguments []string) error {
	flags := flag.NewFlagSet("workload", flag.ContinueOnError)
	port := flags.String("port", or("WORKLOAD_PORT", "8080"), "the port that is served")
	text := flags.String("text", or("WORKLOAD_TEXT", "workload"), "the first line of the page")
	textFile := flags.String("text-file", or("WORKLOAD_TEXT_FILE", ""), "a file whose content is the page instead")
	write := flags.String("write", or("WORKLOAD_WRITE", ""), "a file that gets a line at each start")
	line := flags.String("line", or("WORKLOAD_LINE", ""), "that line; the text where it is empty")
	files := flags.String("files", or("WORKLOAD_FILES", "/"), "the directory whose files are served")
	status := flags.Int("status", -1, "the exit status of job and crash (WORKLOAD_STATUS)")
	delay := flags.Duration("delay", 0, "how long job and crash run, and web waits before it serves (WORKLOAD_DELAY)")
	mode := flags.String("mode", or("WORKLOAD_MODE", "web"), "web, job or crash")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		*mode = flags.Arg(0)
	}
	if err := fromEnvironment("WORKLOAD_STATUS", func(value string) error { return flags.Set("status", value) }); err != nil {
		return err
	}
	if err := fromEnvironment("WORKLOAD_DELAY", func(value string) error { return flags.Set("delay", value) }); err != nil {
		return err
	}

	if *write != "" {
		if *line == "" {
			*line = *text
		}
		if err := appendTo(*write, strings.NewReader(*line+"\n")); err != nil {
			return err
		}
	}
	time.Sleep(*delay)
	switch *mode {
	case "web":
		return serve(*port, *text, *textFile, *files)
	case "job":
		fmt.Println(*text)
		os.Exit(max(*status, 0))
	case "crash":
		fmt.Fprintln(os.Stderr, "crashing as told")
		if *status < 0 {
			*status = 1
		}
		os.Exit(*status)
	}
	return fmt.Errorf("unknown mode %q: web, job or crash", *mode)
}

func or(name, otherwise string) string {
	if value, is := os.LookupEnv(name); is {
		return value
	}
	return otherwise
}

// fromEnvironment hands over a variable that is set and not empty.
func fromEnvironment(name string, set func(string) error) error {
	if value := os.Getenv(name); value != "" {
		if err := set(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func serve(port, text, textFile, files string) error {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /", func(answer http.ResponseWriter, request *http.Request) {
		page := text + "\n"
		if textFile != "" {
			content, err := os.ReadFile(textFile)
			if err != nil {
				http.Error(answer, err.Error(), http.StatusInternalServerError)
				return
			}
			page = string(content)
		}
		host, _ := os.Hostname()
		image := os.Getenv("WORKLOAD_IMAGE")
		fmt.Fprintf(answer, "%simage %s\npod %s\nhost %s\npath %s\n", page, image, host, request.Host, request.URL.Path)
	})
	pages.HandleFunc("GET /environment/{name}", func(answer http.ResponseWriter, request *http.Request) {
		value, is := os.LookupEnv(request.PathValue("name"))
		if !is {
			http.NotFound(answer, request)
			return
		}
		fmt.Fprintln(answer, value)
	})
	pages.HandleFunc("GET /files/{path...}", func(answer http.ResponseWriter, request *http.Request) {
		content, err := os.ReadFile(filepath.Join(files, filepath.Clean("/"+request.PathValue("path"))))
		if err != nil {
			http.Error(answer, err.Error(), http.StatusNotFound)
			return
		}
		_, _ = answer.Write(content)
	})
	pages.HandleFunc("POST /files/{path...}", func(answer http.ResponseWriter, request *http.Request) {
		path := filepath.Join(files, filepath.Clean("/"+request.PathValue("path")))
		if err := appendTo(path, bufio.NewReader(request.Body)); err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
		}
	})
	pages.HandleFunc("POST /exit", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
	fmt.Printf("serving %q on port %s\n", text, port)
	return http.ListenAndServe(":"+port, pages)
}

func appendTo(path string, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
