package main

import (
	"cmp"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The parts of Kubernetes' objects that routing needs.
type (
	ingressList struct {
		Items []struct {
			Metadata metadata `json:"metadata"`
			Spec     struct {
				IngressClassName string `json:"ingressClassName"`
				Rules            []struct {
					Host string `json:"host"`
					HTTP struct {
						Paths []struct {
							Path     string `json:"path"`
							PathType string `json:"pathType"`
							Backend  struct {
								Service struct {
									Name string `json:"name"`
									Port struct {
										Name   string `json:"name"`
										Number int    `json:"number"`
									} `json:"port"`
								} `json:"service"`
							} `json:"backend"`
						} `json:"paths"`
					} `json:"http"`
				} `json:"rules"`
			} `json:"spec"`
		} `json:"items"`
	}
	serviceList struct {
		Items []service `json:"items"`
	}
	service struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			ClusterIP string `json:"clusterIP"`
			Ports     []struct {
				Name string `json:"name"`
				Port int    `json:"port"`
			} `json:"ports"`
		} `json:"spec"`
	}
	metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Annotations map[string]string `json:"annotations"`
	}
)

// A route leads requests for a host and a path to a Service.
type route struct {
	host, path, target string
	exact              bool
}

func (r route) takes(host, path string) bool {
	if r.host != "" && r.host != host {
		return false
	}
	if r.exact || path == r.path {
		return path == r.path
	}
	return strings.HasPrefix(path, strings.TrimSuffix(r.path, "/")+"/")
}

// ingress stands in for the Caddy ingress controller: the same flags, ports, health check, permissions and kind of
// stored certificates, so that the same objects run it. It is not Caddy: its certificates are of its own making,
// and plain HTTP is answered, not sent to HTTPS.
func ingress(arguments []string) error {
	flags := flag.NewFlagSet("ingress", flag.ContinueOnError)
	flags.String("config-map", "", "NAMESPACE/NAME of its configuration; read by Caddy, unused here")
	class := flags.String("class-name", "caddy", "the IngressClass that is served")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	api, err := newCluster()
	if err != nil {
		return err
	}
	var current atomic.Pointer[[]route]
	known := func(host string) bool {
		routes := current.Load()
		return routes != nil && slices.ContainsFunc(*routes, func(r route) bool { return r.host == host })
	}
	certificates := newCertificates(api, os.Getenv("POD_NAMESPACE"))

	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		host := request.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		for _, route := range *current.Load() {
			if route.takes(host, request.URL.Path) {
				target := &url.URL{Scheme: "http", Host: route.target}
				proxy := httputil.ReverseProxy{Rewrite: func(out *httputil.ProxyRequest) {
					out.SetURL(target)
					out.Out.Host = out.In.Host
					out.SetXForwarded()
				}}
				proxy.ServeHTTP(answer, request)
				return
			}
		}
		http.Error(answer, "no Ingress for "+host+request.URL.Path, http.StatusNotFound)
	})
	ended := make(chan error)
	secure := &http.Server{Addr: ":443", Handler: handler, TLSConfig: &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if !known(hello.ServerName) {
				return nil, fmt.Errorf("no Ingress for %q", hello.ServerName)
			}
			return certificates.of(hello.ServerName)
		},
	}}
	healthy := http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		if current.Load() == nil {
			http.Error(answer, "no routes yet", http.StatusServiceUnavailable)
		}
	})
	go func() {
		for ; ; time.Sleep(300 * time.Millisecond) {
			routes, err := readRoutes(api, *class)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				continue
			}
			if last := current.Load(); last == nil || !slices.Equal(*last, routes) {
				fmt.Printf("routes: %+v\n", routes)
				current.Store(&routes)
				if last == nil {
					go func() { ended <- http.ListenAndServe(":80", handler) }()
					go func() { ended <- secure.ListenAndServeTLS("", "") }()
				}
			}
		}
	}()
	go func() { ended <- http.ListenAndServe(":9765", healthy) }()
	return <-ended
}

// readRoutes reads the routes of a class, the more particular ones first.
func readRoutes(api *cluster, class string) ([]route, error) {
	var ingresses ingressList
	if err := api.list("/apis/networking.k8s.io/v1/ingresses", &ingresses); err != nil {
		return nil, err
	}
	var services serviceList
	if err := api.list("/api/v1/services", &services); err != nil {
		return nil, err
	}
	routes := []route{}
	for _, ingress := range ingresses.Items {
		if cmp.Or(ingress.Spec.IngressClassName, ingress.Metadata.Annotations["kubernetes.io/ingress.class"]) != class {
			continue
		}
		for _, rule := range ingress.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				backend := path.Backend.Service
				target := targetOf(services.Items, ingress.Metadata.Namespace, backend.Name, backend.Port.Name, backend.Port.Number)
				if target != "" {
					routes = append(routes, route{rule.Host, cmp.Or(path.Path, "/"), target, path.PathType == "Exact"})
				}
			}
		}
	}
	slices.SortStableFunc(routes, func(a, b route) int {
		return cmp.Or(cmp.Compare(b.host, a.host), cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.target, b.target))
	})
	return routes, nil
}

// targetOf is the address of a Service's port, or nothing while there is none.
func targetOf(services []service, namespace, name, port string, number int) string {
	for _, service := range services {
		if service.Metadata.Namespace != namespace || service.Metadata.Name != name || service.Spec.ClusterIP == "" {
			continue
		}
		host := service.Spec.ClusterIP
		if host == "None" {
			host = name + "." + namespace + ".svc.cluster.local"
		}
		for _, candidate := range service.Spec.Ports {
			if candidate.Port == number || port != "" && candidate.Name == port {
				return net.JoinHostPort(host, strconv.Itoa(candidate.Port))
			}
		}
	}
	return ""
}
