// Package config reads the service's settings from the environment.
package config

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Config is everything that can be set.
type Config struct {
	Listen   string        // ROOMS_LISTEN, default 127.0.0.1:8090
	Journal  string        // ROOMS_JOURNAL, default rooms.journal
	Rate     float64       // ROOMS_RATE, requests a second and client, default 20
	Burst    int           // ROOMS_BURST, default 40
	Shutdown time.Duration // ROOMS_SHUTDOWN, how long running requests get at the end, default 5s
}

// Read takes the settings through getenv, which is os.Getenv outside tests. It reports every mistake at once.
func Read(getenv func(string) string) (Config, error) {
	c := Config{Listen: "127.0.0.1:8090", Journal: "rooms.journal", Rate: 20, Burst: 40, Shutdown: 5 * time.Second}
	var problems []error
	set := func(name string, parse func(string) error) {
		if value := getenv(name); value != "" {
			if err := parse(value); err != nil {
				problems = append(problems, fmt.Errorf("%s=%s: %w", name, value, err))
			}
		}
	}
	set("ROOMS_LISTEN", func(v string) error { c.Listen = v; return nil })
	set("ROOMS_JOURNAL", func(v string) error { c.Journal = v; return nil })
	set("ROOMS_RATE", func(v string) (err error) {
		c.Rate, err = strconv.ParseFloat(v, 64)
		if err == nil && !(c.Rate > 0) {
			err = errors.New("want more than nothing")
		}
		return err
	})
	set("ROOMS_BURST", func(v string) (err error) {
		c.Burst, err = strconv.Atoi(v)
		if err == nil && c.Burst < 1 {
			err = errors.New("want at least 1")
		}
		return err
	})
	set("ROOMS_SHUTDOWN", func(v string) (err error) {
		c.Shutdown, err = time.ParseDuration(v)
		return err
	})
	return c, errors.Join(problems...)
}
