package docker

import (
	"testing"

	"github.com/docker/docker/api/types/system"
)

func TestGPUsAreCountedByTheirNumbers(t *testing.T) {
	cases := map[string]struct {
		ids  []string
		want int
	}{
		"an engine that tells none":  {nil, 0},
		"two":                        {[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=1"}, 2},
		"each by its serial as well": {[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=GPU-8f1c", "nvidia.com/gpu=all"}, 1},
		"of two makers":              {[]string{"nvidia.com/gpu=0", "amd.com/gpu=0"}, 2},
		"other devices":              {[]string{"vendor.com/net=0", "nvidia.com/gpu"}, 0},
		"the same twice":             {[]string{"nvidia.com/gpu=0", "nvidia.com/gpu=0"}, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var devices []system.DeviceInfo
			for _, id := range tc.ids {
				devices = append(devices, system.DeviceInfo{Source: "cdi", ID: id})
			}
			if got := countGPUs(devices); got != tc.want {
				t.Errorf("counted %d, want %d", got, tc.want)
			}
		})
	}
}
