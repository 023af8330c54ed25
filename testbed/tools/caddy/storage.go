package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"laconic.invalid/testbed/tools/workload/cluster"
)

// The label by which Caddy's certificates are found, for example by what backs them up.
const managed = "manager=caddy"

// Caddy makes its modules itself; this is what they all share.
var storage *secrets

// secrets keeps what Caddy keeps, certificates first of all, as Secrets. There is one Caddy: locks are its own.
type secrets struct {
	api       *cluster.Cluster
	namespace string
	guard     sync.Mutex
	locks     map[string]*sync.Mutex
}

// secret is a Secret as far as it matters here.
type secret struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
		Labels      map[string]string `json:"labels"`
		Created     time.Time         `json:"creationTimestamp,omitzero"`
	} `json:"metadata"`
	Data map[string][]byte `json:"data"`
}

const keyAnnotation = "testbed/key"

func init() { caddy.RegisterModule(module{}) }

// module is how Caddy comes to the storage.
type module struct{}

func (module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.secrets", New: func() caddy.Module { return module{} }}
}

func (module) CertMagicStorage() (certmagic.Storage, error) { return storage, nil }

var unfit = regexp.MustCompile(`[^a-z0-9.-]+`)

func (s *secrets) collection() string { return "/api/v1/namespaces/" + s.namespace + "/secrets" }

func nameOf(key string) string {
	return "caddy.ingress--" + strings.Trim(unfit.ReplaceAllString(strings.ToLower(strings.ReplaceAll(key, "/", ".")), "-"), ".-")
}

func (s *secrets) read(key string) (*secret, error) {
	var found secret
	err := s.api.List(s.collection()+"/"+nameOf(key), &found)
	if cluster.IsNotFound(err) {
		return nil, fs.ErrNotExist
	}
	return &found, err
}

func (s *secrets) keys() ([]string, error) {
	var found struct {
		Items []secret `json:"items"`
	}
	if err := s.api.List(s.collection()+"?labelSelector="+managed, &found); err != nil {
		return nil, err
	}
	keys := []string{}
	for _, item := range found.Items {
		if key := item.Metadata.Annotations[keyAnnotation]; key != "" {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (s *secrets) Store(ctx context.Context, key string, value []byte) error {
	var object secret
	object.Metadata.Name = nameOf(key)
	object.Metadata.Annotations = map[string]string{keyAnnotation: key}
	object.Metadata.Labels = map[string]string{"manager": "caddy"}
	object.Data = map[string][]byte{"value": value}
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	err = s.api.Do(ctx, http.MethodPut, s.collection()+"/"+nameOf(key), string(body), nil)
	if cluster.IsNotFound(err) {
		err = s.api.Do(ctx, http.MethodPost, s.collection(), string(body), nil)
	}
	return err
}

func (s *secrets) Load(_ context.Context, key string) ([]byte, error) {
	found, err := s.read(key)
	if err != nil {
		return nil, err
	}
	return found.Data["value"], nil
}

func (s *secrets) Delete(ctx context.Context, key string) error {
	keys, err := s.keys()
	if err != nil {
		return err
	}
	for _, one := range keys {
		if one != key && !strings.HasPrefix(one, key+"/") {
			continue
		}
		err = s.api.Do(ctx, http.MethodDelete, s.collection()+"/"+nameOf(one), "", nil)
		if err != nil && !cluster.IsNotFound(err) {
			return err
		}
	}
	return nil
}

func (s *secrets) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

func (s *secrets) List(_ context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := s.keys()
	if err != nil {
		return nil, err
	}
	listed := []string{}
	seen := map[string]bool{}
	for _, key := range keys {
		rest, under := strings.CutPrefix(key, strings.TrimSuffix(prefix, "/")+"/")
		if !under {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); deeper && !recursive {
			key = path.Join(prefix, first)
		}
		if !seen[key] {
			seen[key] = true
			listed = append(listed, key)
		}
	}
	if len(listed) == 0 {
		return nil, fs.ErrNotExist
	}
	return listed, nil
}

func (s *secrets) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	found, err := s.read(key)
	if err == nil {
		return certmagic.KeyInfo{
			Key: key, Modified: found.Metadata.Created, Size: int64(len(found.Data["value"])), IsTerminal: true,
		}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return certmagic.KeyInfo{}, err
	}
	if _, err := s.List(ctx, key, true); err != nil {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key}, nil
}

func (s *secrets) lock(name string) *sync.Mutex {
	s.guard.Lock()
	defer s.guard.Unlock()
	if s.locks == nil {
		s.locks = map[string]*sync.Mutex{}
	}
	if s.locks[name] == nil {
		s.locks[name] = &sync.Mutex{}
	}
	return s.locks[name]
}

func (s *secrets) Lock(_ context.Context, name string) error {
	s.lock(name).Lock()
	return nil
}

func (s *secrets) Unlock(_ context.Context, name string) error {
	s.lock(name).Unlock()
	return nil
}
