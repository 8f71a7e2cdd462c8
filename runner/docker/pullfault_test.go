package docker

import (
	"errors"
	"testing"
)

func TestWhoseFaultAFailedPullIs(t *testing.T) {
	for text, want := range map[string][2]bool{
		"manifest for x:nope not found: manifest unknown":                                   {false, false},
		"pull access denied for x, repository does not exist or may require 'docker login'": {false, false},
		"no matching manifest for linux/arm64 in the manifest list entries":                 {false, false},
		"dial tcp: lookup registry.invalid: no such host":                                   {true, true},
		"Get https://r/v2/: net/http: TLS handshake timeout":                                {true, true},
		"toomanyrequests: You have reached your pull rate limit":                            {true, true},
		"write /var/lib/docker/tmp/x: no space left on device":                              {true, true},
		"x509: certificate signed by unknown authority":                                     {true, false},
		"received unexpected HTTP status: 503 Service Unavailable":                          {true, true},
	} {
		machine, passing := pullFault(errors.New(text))
		if machine != want[0] || passing != want[1] {
			t.Errorf("%q: machine %v, passing %v; want %v", text, machine, passing, want)
		}
	}
}
