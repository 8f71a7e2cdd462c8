package main

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestServesAndRemembers(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	getenv := func(name string) string {
		return map[string]string{"ROOMS_LISTEN": "127.0.0.1:0", "ROOMS_JOURNAL": journal}[name]
	}
	during := func(visit func(url string)) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		ready, ended := make(chan string, 1), make(chan error, 1)
		go func() { ended <- run(ctx, getenv, ready) }()
		select {
		case address := <-ready:
			visit("http://" + address)
		case err := <-ended:
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	during(func(url string) {
		req, _ := http.NewRequest("PUT", url+"/rooms/oak", strings.NewReader(`{"seats":3}`))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	during(func(url string) {
		resp, err := http.Get(url + "/rooms/oak/bookings")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the room is forgotten: status %d", resp.StatusCode)
		}
	})
}

func TestRefusesBadSettings(t *testing.T) {
	err := run(t.Context(), func(name string) string {
		if name == "ROOMS_BURST" {
			return "lots"
		}
		return ""
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "ROOMS_BURST") {
		t.Errorf("got %v", err)
	}
}
