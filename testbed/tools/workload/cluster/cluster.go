// Package cluster is the API server as a pod sees it. The few calls here do not pay for a client library.
package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

// Cluster is an API server.
type Cluster struct {
	address string
	client  *http.Client
}

// New is the API server of the cluster that this pod runs on.
func New() (*Cluster, error) {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" {
		return nil, errors.New("KUBERNETES_SERVICE_HOST is not set: not in a pod")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return &Cluster{address: "https://" + net.JoinHostPort(host, port), client: &http.Client{Transport: transport}}, nil
}

// Do sends an object, if there is one, and reads the answer into another one.
func (c *Cluster) Do(ctx context.Context, method, path, body string, answer any) error {
	// Read each time: the kubelet renews it.
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.address+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 400))
		return &Refusal{Code: response.StatusCode, text: fmt.Sprintf("%s %s: %s: %s", method, path, response.Status, text)}
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// List is Do for GET, with an end.
func (c *Cluster) List(path string, answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Do(ctx, http.MethodGet, path, "", answer)
}

// Refusal is an answer that is none.
type Refusal struct {
	Code int
	text string
}

func (r *Refusal) Error() string { return r.text }

// IsNotFound tells whether it was refused because there is no such object.
func IsNotFound(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Code == http.StatusNotFound
}
