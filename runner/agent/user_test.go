//go:build linux

package agent

import (
	"slices"
	"strings"
	"testing"
)

func TestParseUser(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\n# comment\napp:x:1000:1001:,,,:/home/app:/bin/sh\nbare:x:7:8::\n" +
		"homeless:x:33:33:::\nbroken:x:a:b::/:/bin/sh\n4242:x:50:51::/n:/bin/sh\n"
	const group = "root:x:0:\nwheel:x:10:app,root\ndocker:x:999:other,app\nnone:x:5:\nbad:x:q:app\n"
	tests := []struct {
		runAs    string
		uid, gid uint32
		groups   []uint32
		home     string
		err      string
	}{
		{runAs: "app", uid: 1000, gid: 1001, groups: []uint32{10, 999}, home: "/home/app"},
		{runAs: "app:docker", uid: 1000, gid: 999, home: "/home/app"},
		{runAs: "app:7", uid: 1000, gid: 7, home: "/home/app"},
		{runAs: "1000", uid: 1000, gid: 1001, groups: []uint32{10, 999}, home: "/home/app"},
		{runAs: "77", uid: 77, home: "/"},
		{runAs: "77:78", uid: 77, gid: 78, home: "/"},
		{runAs: "4242", uid: 50, gid: 51, home: "/n"},
		{runAs: "homeless", uid: 33, gid: 33, home: "/"},
		{runAs: "root", home: "/root", groups: []uint32{10}},
		{runAs: "nobody", err: "no user nobody"},
		{runAs: "bare", err: "no user bare"},
		{runAs: "broken", err: "has no numbers"},
		{runAs: "app:staff", err: "no group staff"},
		{runAs: "4294967295", err: "no user"},
		{runAs: "", err: "no user"},
		{runAs: "-1", err: "no user"},
	}
	if u, err := parseUser("root", "", ""); err != nil || u.uid != 0 || u.home != "/root" {
		t.Errorf("root of an image without files: %+v, %v", u, err)
	}
	for _, tt := range tests {
		u, err := parseUser(tt.runAs, passwd, group)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want %q in it", tt.runAs, err, tt.err)
			}
			continue
		}
		if err != nil || u.uid != tt.uid || u.gid != tt.gid || u.home != tt.home || !slices.Equal(u.groups, tt.groups) {
			t.Errorf("%q: %+v, %v", tt.runAs, u, err)
		}
	}
}
