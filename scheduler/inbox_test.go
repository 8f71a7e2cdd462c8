package scheduler

import (
	"fmt"
	"testing"
)

func everyDelivery(*Received) bool { return true }

func TestTheInboxSurvivesARestartAndHasAnEnd(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	for n := range keptReceived + 10 {
		s.Note(Received{Forge: "github", Projects: []string{"api"}, Delivery: fmt.Sprint(n)})
		if n%inboxAtOnce == 0 {
			if err := s.writeInbox(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range keptRefused + 10 {
		s.Note(Received{Forge: "github", Delivery: fmt.Sprint("stranger ", n)})
	}
	if err := s.writeInbox(); err != nil {
		t.Fatal(err)
	}
	check := func(when string, s *Scheduler, atLeast int) {
		page, more := s.Received(everyDelivery, 0, 100_000)
		if more || len(page) > keptReceived+keptRefused || len(page) < atLeast {
			t.Errorf("%s the inbox has %d deliveries, want %d to %d", when, len(page), atLeast, keptReceived+keptRefused)
		}
		if newest := page[0].Delivery; newest != fmt.Sprint("stranger ", keptRefused+9) {
			t.Errorf("%s the newest is %q", when, newest)
		}
		signed, _ := s.Received(func(r *Received) bool { return !r.Refused() }, 0, 1)
		if len(signed) != 1 || signed[0].Delivery != fmt.Sprint(keptReceived+9) {
			t.Errorf("%s strangers pushed out what was signed: %+v", when, signed)
		}
	}
	check("before", s, keptReceived+keptRefused)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	check("after a restart", s, keptReceived)
	s.Note(Received{Delivery: "next"})
	if page, _ := s.Received(everyDelivery, 0, 1); page[0].Delivery != "next" {
		t.Errorf("the newest after a restart is %+v", page[0])
	}
}

func TestOfAFloodTheDiskKeepsTheNewest(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	for n := range 3 * inboxAtOnce {
		s.Note(Received{Projects: []string{"api"}, Delivery: fmt.Sprint(n)})
	}
	if err := s.writeInbox(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	page, _ := open(t, path).Received(everyDelivery, 0, 100_000)
	if len(page) != inboxAtOnce || page[0].Delivery != fmt.Sprint(3*inboxAtOnce-1) {
		t.Errorf("%d deliveries are on the disk, the newest %q; want the newest %d", len(page), page[0].Delivery, inboxAtOnce)
	}
}
