package main

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"laconic.invalid/testbed/tools/workload/cluster"
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

// paths are the patterns of Caddy that take what the route takes.
func (r route) paths() []string {
	prefix := strings.TrimSuffix(r.path, "/")
	switch {
	case r.exact:
		return []string{r.path}
	case prefix == "":
		return []string{"/*"}
	default:
		return []string{prefix, prefix + "/*"}
	}
}

// readRoutes reads the routes of a class, the more particular ones first.
func readRoutes(api *cluster.Cluster, class string) ([]route, error) {
	var ingresses ingressList
	if err := api.List("/apis/networking.k8s.io/v1/ingresses", &ingresses); err != nil {
		return nil, err
	}
	var services serviceList
	if err := api.List("/api/v1/services", &services); err != nil {
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
