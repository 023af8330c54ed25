// The Caddy ingress controller of the test bed: the real Caddy, told of Ingresses by a small controller of our own,
// because the module of the one that deployments use cannot be had here. It takes the same flags, serves the same
// ports and health check, needs the same permissions, and keeps certificates where that one does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/caddypki"
	_ "github.com/caddyserver/caddy/v2/modules/caddytls"

	"laconic.invalid/testbed/tools/workload/cluster"
)

func main() {
	// The first process of a container has no default reaction to signals.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		os.Exit(0)
	}()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	flag.String("config-map", "", "NAMESPACE/NAME of its configuration; certificates are Caddy's own here, so that it is unused")
	class := flag.String("class-name", "caddy", "the IngressClass that is served")
	flag.Parse()
	api, err := cluster.New()
	if err != nil {
		return err
	}
	storage = &secrets{api: api, namespace: os.Getenv("POD_NAMESPACE")}
	var served atomic.Bool
	go func() {
		var last []route
		for ; ; time.Sleep(300 * time.Millisecond) {
			routes, err := readRoutes(api, *class)
			if err == nil && (!served.Load() || !reflect.DeepEqual(routes, last)) {
				if err = load(routes); err == nil {
					fmt.Printf("routes: %+v\n", routes)
					last = routes
					served.Store(true)
				}
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	return http.ListenAndServe(":9765", http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		if !served.Load() {
			http.Error(answer, "no routes yet", http.StatusServiceUnavailable)
		}
	}))
}

// A part of Caddy's configuration.
type object = map[string]any

// load has Caddy serve the routes, on the plain port and on the secure one, with certificates that it issues itself.
func load(routes []route) error {
	rules := []object{}
	for _, route := range routes {
		match := object{"path": route.paths()}
		if route.host != "" {
			match["host"] = []string{route.host}
		}
		rules = append(rules, object{
			"match":    []object{match},
			"handle":   []object{{"handler": "reverse_proxy", "upstreams": []object{{"dial": route.target}}}},
			"terminal": true,
		})
	}
	configuration, err := json.Marshal(object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"storage": object{"module": "secrets"},
		"apps": object{
			"http": object{"servers": object{"ingress": object{
				"listen":          []string{":80", ":443"},
				"automatic_https": object{"disable_redirects": true},
				"routes":          rules,
			}}},
			"tls": object{"automation": object{"policies": []object{{
				"issuers": []object{{"module": "internal"}},
			}}}},
			"pki": object{"certificate_authorities": object{"local": object{"install_trust": false}}},
		},
	})
	if err != nil {
		return err
	}
	return caddy.Load(configuration, true)
}
