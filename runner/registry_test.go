package runner

import "testing"

func TestPinnedNamesTheImageByItsDigest(t *testing.T) {
	const digest = "sha256:5a0992"
	tests := []struct{ ref, digest, want string }{
		{"busybox", digest, "busybox@" + digest},
		{"busybox:1.36", digest, "busybox@" + digest},
		{"localhost:5000/team/app", digest, "localhost:5000/team/app@" + digest},
		{"localhost:5000/team/app:v1", digest, "localhost:5000/team/app@" + digest},
		{"ghcr.io/acme/app:v1@sha256:old", digest, "ghcr.io/acme/app@" + digest},
		{"made/here:latest", "", ""},
	}
	for _, tt := range tests {
		if got := (Image{Ref: tt.ref, Digest: tt.digest}).Pinned(); got != tt.want {
			t.Errorf("%s with the digest %q is pinned as %q, want %q", tt.ref, tt.digest, got, tt.want)
		}
	}
}
