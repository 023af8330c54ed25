package main

import (
	"fmt"
	"os"
	"time"
)

const networkFile = "/etc/cni/net.d/10-kindnet.conflist"

// The plugins that kind's own kindnetd configures. There is one node, so nothing has to be routed between nodes;
// network policies are not enforced.
const networkConfiguration = `{
  "cniVersion": "0.3.1",
  "name": "kindnet",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": true,
      "mtu": 1500,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": %q}]]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

type nodeList struct {
	Items []struct {
		Spec struct {
			PodCIDR string `json:"podCIDR"`
		} `json:"spec"`
		Status struct {
			Addresses []struct {
				Address string `json:"address"`
			} `json:"addresses"`
		} `json:"status"`
	} `json:"items"`
}

// network stands in for kind's network plugin: it configures the node's own plugins, once.
func network([]string) error {
	api, err := newCluster()
	if err != nil {
		return err
	}
	own := os.Getenv("HOST_IP")
	for ; ; time.Sleep(200 * time.Millisecond) {
		var nodes nodeList
		if err := api.list("/api/v1/nodes", &nodes); err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		for _, node := range nodes.Items {
			for _, address := range node.Status.Addresses {
				if address.Address != own || node.Spec.PodCIDR == "" {
					continue
				}
				fresh := networkFile + ".new"
				if err := os.WriteFile(fresh, fmt.Appendf(nil, networkConfiguration, node.Spec.PodCIDR), 0o644); err != nil {
					return err
				}
				if err := os.Rename(fresh, networkFile); err != nil {
					return err
				}
				fmt.Println("pods get addresses of", node.Spec.PodCIDR)
				select {}
			}
		}
	}
}
