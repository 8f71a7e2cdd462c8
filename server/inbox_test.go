package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
)

// inboxOf is what a token sees in the inbox, newest first: event, answer, projects.
func (d *daemon) inboxOf(token string, opts client.InboxOptions) (out []string) {
	d.t.Helper()
	page, err := client.New(d.url(), token).Inbox(d.t.Context(), opts)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, x := range page.Items {
		out = append(out, strings.Join([]string{x.Event, http.StatusText(x.Status), x.Outcome, strings.Join(x.Projects, "+")}, " "))
	}
	return out
}

func TestEachDeliveryAndItsFateIsInTheInbox(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "s3cret"), hooked(t, "docs", apiURL, "s3cret"))
	push, ping := hookBody(t, "push"), hookBody(t, "ping")
	d.deliver(delivery("ping", "1", "s3cret", ping), ping)
	d.deliver(delivery("push", "2", "s3cret", push), push)
	d.deliver(delivery("push", "3", "wrong", push), push)
	d.deliver(delivery("star", "4", "s3cret", ping), ping)
	broken := []byte(strings.Replace(string(push), newTip, "HEAD", -1))
	d.deliver(delivery("push", "5", "s3cret", broken), broken)

	all := []string{
		"push Bad Request refused api+docs", "star Accepted ignored api+docs", "push Unauthorized refused ",
		"push Accepted pending api+docs", "ping OK pong api+docs",
	}
	if got := d.inboxOf(testToken, client.InboxOptions{}); !slices.Equal(got, all) {
		t.Errorf("an admin sees %q, want %q", got, all)
	}
	if got := d.inboxOf(testToken, client.InboxOptions{Refused: true}); !slices.Equal(got, all[2:3]) {
		t.Errorf("refused are %q", got)
	}
	reader := d.token(access.Read, "docs")
	mine := []string{"push Bad Request refused docs", "star Accepted ignored docs", "push Accepted pending docs", "ping OK pong docs"}
	if got := d.inboxOf(reader, client.InboxOptions{}); !slices.Equal(got, mine) {
		t.Errorf("who may read docs alone sees %q, want %q", got, mine)
	}
	if got := d.inboxOf(reader, client.InboxOptions{Refused: true}); len(got) > 0 {
		t.Errorf("who may read docs alone sees strangers' text: %q", got)
	}
	if got := d.inboxOf(d.token(access.Admin, "web"), client.InboxOptions{}); len(got) > 0 {
		t.Errorf("an admin of another project sees %q", got)
	}

	page, err := d.client().Inbox(t.Context(), client.InboxOptions{Refused: true})
	if err != nil {
		t.Fatal(err)
	}
	refused := page.Items[0]
	if !strings.Contains(refused.Reason, "the signature fits no secret") || refused.Repository != "example/api" || refused.Remote != "127.0.0.1" || refused.Delivery == "" {
		t.Errorf("the refused one is told as %+v", refused)
	}
}

// TestADeliveryThatCameBeforeIsSaidToHave, and no other one is, however fast it was built.
func TestADeliveryThatCameBeforeIsSaidToHave(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "s3cret"))
	push := hookBody(t, "push")
	d.deliver(delivery("push", "1", "s3cret", push), push)
	d.deliver(delivery("push", "1", "s3cret", push), push)
	page, err := d.client().Inbox(t.Context(), client.InboxOptions{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("the inbox has %+v, %v", page.Items, err)
	}
	if second, first := page.Items[0], page.Items[1]; first.Reason != "" || second.Reason != "it came before" || first.Trigger != second.Trigger {
		t.Errorf("first %+v, then %+v", first, second)
	}
}

func TestTheInboxIsPaged(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "s3cret"))
	ping := hookBody(t, "ping")
	for range 5 {
		d.deliver(delivery("ping", "1", "s3cret", ping), ping)
	}
	opts := client.InboxOptions{ListOptions: client.ListOptions{Limit: 2}}
	seen := 0
	for {
		page, err := d.client().Inbox(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Items)
		if opts.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if seen != 5 {
		t.Errorf("all pages together have %d deliveries, want 5", seen)
	}
	opts.Cursor = "yesterday"
	if _, err := d.client().Inbox(t.Context(), opts); asProblem(t, err).Status != http.StatusBadRequest {
		t.Errorf("a cursor of nothing was answered %v", err)
	}
}
