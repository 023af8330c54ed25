package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// certificates are self-signed ones, kept as Secrets with the label by which Caddy's are found. One that is there is
// used, so that a test can see whether certificates outlive a cluster.
type certificates struct {
	api       *cluster
	namespace string
	guard     sync.Mutex
	known     map[string]*tls.Certificate
}

func newCertificates(api *cluster, namespace string) *certificates {
	return &certificates{api: api, namespace: namespace, known: map[string]*tls.Certificate{}}
}

// of finds the certificate of a host, or makes it.
func (c *certificates) of(host string) (*tls.Certificate, error) {
	c.guard.Lock()
	defer c.guard.Unlock()
	if certificate := c.known[host]; certificate != nil {
		return certificate, nil
	}
	path := "/api/v1/namespaces/" + c.namespace + "/secrets"
	name := "caddy.ingress--certificates.testbed." + host
	var stored struct {
		Data map[string][]byte `json:"data"`
	}
	if err := c.api.list(path+"/"+name, &stored); err != nil {
		stored.Data, err = selfSigned(host)
		if err != nil {
			return nil, err
		}
		secret, err := json.Marshal(map[string]any{
			"apiVersion": "v1",
			"kind":       "Secret",
			"metadata":   map[string]any{"name": name, "labels": map[string]string{"manager": "caddy"}},
			"data":       stored.Data,
		})
		if err != nil {
			return nil, err
		}
		if err := c.api.do(context.Background(), http.MethodPost, path, string(secret), nil); err != nil {
			return nil, err
		}
	}
	certificate, err := tls.X509KeyPair(stored.Data["certificate"], stored.Data["key"])
	if err != nil {
		return nil, err
	}
	c.known[host] = &certificate
	return &certificate, nil
}

func selfSigned(host string) (map[string][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(0, 3, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		"key":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, nil
}
