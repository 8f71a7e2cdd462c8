package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func fresh(t *testing.T) (*Store, string) {
	path := filepath.Join(t.TempDir(), "access.db")
	return open(t, path), path
}

var reading = Grant{Scope: Read, Projects: []string{"api"}}

// killed is the file as a kill -9 would leave it now: what is committed and nothing else.
func killed(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "access.db")
	if err := os.WriteFile(copied, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestTokensHaveAFormThatScannersAndFingersKnow(t *testing.T) {
	pattern := regexp.MustCompile(`^rnr_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 200 {
		secret := NewSecret()
		if !pattern.MatchString(secret) || !Written(secret) || seen[secret] {
			t.Fatalf("%q", secret)
		}
		seen[secret] = true
		for i := len(prefix); i < len(secret); i++ {
			slip := []byte(secret)
			if slip[i]++; slip[i] == ':' || slip[i] == '[' || slip[i] == '{' {
				slip[i] = '0'
			}
			if Written(string(slip)) {
				t.Fatalf("%q is taken for %q", slip, secret)
			}
		}
	}
	for _, text := range []string{"", "rnr_", strings.Repeat("0", 53), "rnr_" + strings.Repeat("é", 25)} {
		if Written(text) {
			t.Errorf("%q is a token", text)
		}
	}
}

func TestScopesIncludeTheOnesBefore(t *testing.T) {
	for i, has := range Scopes {
		for j, need := range Scopes {
			if has.Covers(need) != (i >= j) {
				t.Errorf("%s covers %s: %v", has, need, has.Covers(need))
			}
		}
	}
	if Scope("root").Covers(Read) || Admin.Covers("root") || Scope("").Covers("") {
		t.Error("an unknown scope covers something")
	}
	two := Grants{{Admin, []string{"api"}}, {Read, []string{"web"}}, {Admin, nil}}
	for _, c := range []struct {
		need    Scope
		project string
		want    bool
	}{
		{Admin, "api", true}, {Admin, "web", false}, {Read, "web", true}, {Read, "other", false}, {Read, "", false}, {Read, Everything, false},
	} {
		if two.May(c.need, c.project) != c.want {
			t.Errorf("%s of %q: %v", c.need, c.project, !c.want)
		}
	}
	if !Root().May(Admin, Everything) || !Root().May(Read, "any") || !two.Somewhere(Admin) || (Grants{{Admin, nil}}).Somewhere(Read) {
		t.Error("everything is not everything, or nothing is something")
	}
}

func TestATokenIsKeptByItsHashAndLivesUntilItIsRemoved(t *testing.T) {
	s, path := fresh(t)
	made, secret, err := s.Create("ada", reading, time.Time{}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte(secret[len(prefix):40])) {
		t.Errorf("the file has the token: %v", err)
	}
	s = open(t, killed(t, path))
	got, life, ok := s.Find(secret)
	if !ok || got.ID != made.ID || got.Grant.Scope != Read || life.Err() != nil {
		t.Fatalf("after a kill -9: %+v, %v", got, ok)
	}
	if _, err := s.Remove("ada"); err != nil || life.Err() == nil {
		t.Errorf("removed: %v, its life: %v", err, life.Err())
	}
	if _, _, ok := s.Find(secret); ok {
		t.Error("a removed token is found")
	}
	again, _, err := s.Create("ada", reading, time.Time{}, "admin")
	if err != nil || again.ID == made.ID {
		t.Errorf("another of the same name: %+v, %v", again, err)
	}
	if _, err := s.Remove("none"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, _, err := s.Create("ada", reading, time.Time{}, "admin"); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
}

func TestATokenExpires(t *testing.T) {
	s, path := fresh(t)
	_, secret, err := s.Create("short", reading, time.Now().Add(20*time.Millisecond), "admin")
	if err != nil {
		t.Fatal(err)
	}
	_, life, ok := s.Find(secret)
	if !ok {
		t.Fatal("it is not found while it is good")
	}
	<-life.Done()
	if _, _, ok := s.Find(secret); ok {
		t.Error("an expired token is found")
	}
	if _, _, ok := open(t, killed(t, path)).Find(secret); ok {
		t.Error("an expired token is found after a restart")
	}
	if _, _, err := s.Create("past", reading, time.Now().Add(-time.Second), "admin"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestTheLastUseIsWrittenDownLater(t *testing.T) {
	s, path := fresh(t)
	_, secret, err := s.Create("ada", reading, time.Time{}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	before := s.db.Stats()
	for range 1000 {
		s.Find(secret)
	}
	after := s.db.Stats()
	if after.TxStats.GetWrite() != before.TxStats.GetWrite() {
		t.Error("looking a token up writes")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if list, _ := open(t, path).Tokens("", 10); len(list) != 1 || time.Since(list[0].Used) > 2*time.Minute {
		t.Errorf("%+v", list)
	}
}

func TestWhatWasRemovedMeanwhileDoesNotComeBack(t *testing.T) {
	s, path := fresh(t)
	_, secret, err := s.Create("ada", reading, time.Time{}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	_, cookie, err := s.Begin(Owner{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	s.Find(secret)
	s.sessions[SumOf(cookie)].saved--
	tokens, sessions, gone := s.gathered()
	if len(tokens) != 1 || len(sessions) != 1 {
		t.Fatalf("gathered %v %v", tokens, sessions)
	}
	_, removed := s.Remove("ada")
	other, _, err := s.Create("ada", Grant{Scope: Admin, Projects: []string{"api"}}, time.Time{}, "admin")
	if err := errors.Join(removed, err, s.End(cookie), s.write(tokens, sessions, gone), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	list, _ := s.Tokens("", 10)
	if _, _, ok := s.Session(cookie); ok || len(list) != 1 || list[0].ID != other.ID || list[0].Grant.Scope != Admin {
		t.Errorf("after a restart there are %+v, and the session: %v", list, ok)
	}
}

func TestSessionsEndByAgeIdlenessAndLogout(t *testing.T) {
	s, path := fresh(t)
	owner := Owner{User: "ada", Groups: []string{"dev"}}
	session, secret, err := s.Begin(owner)
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, killed(t, path))
	got, life, ok := s.Session(secret)
	if !ok || got.Owner.User != "ada" || got.Owner.Groups[0] != "dev" || !got.Expires.Equal(session.Expires) {
		t.Fatalf("after a kill -9: %+v, %v", got, ok)
	}
	row := s.sessions[SumOf(secret)]
	row.seen.Store(minuteOf(time.Now().Add(-DefaultIdle - 2*time.Minute)))
	if _, _, ok := s.Session(secret); ok {
		t.Error("an idle session is found")
	}
	if err := s.flush(); err != nil || len(s.sessions) != 0 || life.Err() == nil {
		t.Errorf("an idle session stays: %v", err)
	}
	_, secret, _ = s.Begin(owner)
	s.sessions[SumOf(secret)].Expires = time.Now()
	if _, _, ok := s.Session(secret); ok {
		t.Error("an old session is found")
	}
	_, secret, _ = s.Begin(owner)
	if err := errors.Join(s.End(secret), s.End(secret)); err != nil {
		t.Error(err)
	}
	if _, _, ok := s.Session(secret); ok {
		t.Error("a session that was ended is found")
	}
}

func TestWhoLogsInWithoutEndLogsNobodyElseOut(t *testing.T) {
	s, path := fresh(t)
	_, other, err := s.Begin(Owner{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := s.Begin(Owner{Token: "k1"})
	for range maxOwn {
		if _, _, more := s.Begin(Owner{Token: "k1"}); more != nil {
			err = more
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, open(t, killed(t, path))} {
		_, _, ada := s.Session(other)
		_, _, oldest := s.Session(first)
		if !ada || oldest || len(s.sessions) != maxOwn+1 {
			t.Errorf("there are %d sessions; the other's: %v, the first of many: %v", len(s.sessions), ada, oldest)
		}
	}
}

func TestARecordIsThereBeforeTheActionAndItsResultAfter(t *testing.T) {
	s, path := fresh(t)
	seq, err := s.Record(Event{Who: "ada", Action: "stop-build", Object: "api#1"}, Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 200} {
		events, _, err := open(t, killed(t, path)).Events(Filter{}, "", 10)
		if err != nil || len(events) != 1 || events[0].Result != want || events[0].Who != "ada" {
			t.Errorf("a kill -9 leaves %+v, %v, want result %d", events, err, want)
		}
		if err := s.Result(seq, 200); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Result(seq+100, 200); err != nil {
		t.Errorf("the result of a record that is gone: %v", err)
	}
}

func TestRefusalsAreCountedAndBounded(t *testing.T) {
	s, _ := fresh(t)
	for i := range 20 * maxWaiting {
		s.Refused(Event{Action: "login", Address: fmt.Sprintf("10.0.%d.%d", i/2%100, i/200), Result: 401})
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	total, lines, cursor := 0, 0, ""
	for {
		page, next, err := s.Events(Filter{}, cursor, 200)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			total, lines = total+e.Count, lines+1
		}
		if cursor = next; next == "" {
			break
		}
	}
	if total != 20*maxWaiting || lines > maxWaiting+1 {
		t.Errorf("%d refusals are %d in %d records", 20*maxWaiting, total, lines)
	}
}

func TestTheAuditLogIsBoundedByNumberAndAge(t *testing.T) {
	s, _ := fresh(t)
	old := time.Now().Add(-48 * time.Hour)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i := range 40 {
			at := time.Now()
			if i < 10 {
				at = old
			}
			if _, err := s.append(tx, bucketAudit, Event{Action: fmt.Sprint(i), At: at}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(time.Now().Add(-24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	page, next, err := s.Events(Filter{}, "", 100)
	if err != nil || len(page) != 30 || next != "" || s.kept.done.Load() != 30 {
		t.Errorf("%d records are left, %d are counted, next %q, %v", len(page), s.kept.done.Load(), next, err)
	}
	s.kept.done.Store(maxEvents) // as if there were so many
	if _, err := s.Record(Event{Action: "new"}, Root()); err != nil {
		t.Fatal(err)
	}
	page, _, err = s.Events(Filter{}, "", 100)
	if err != nil || len(page) != 30 || page[0].Action != "new" || page[29].Action != "11" || s.kept.done.Load() != maxEvents {
		t.Errorf("beyond the bound there are %d records, from %+v, %d counted, %v", len(page), page[len(page)-1], s.kept.done.Load(), err)
	}
}

// TestWhoMayLessPushesNothingOut has a submitter, and an admin of one project, do more than is kept.
func TestWhoMayLessPushesNothingOut(t *testing.T) {
	for scope, counted := range map[Scope]func(s *Store) *atomic.Int64{
		Submit: func(s *Store) *atomic.Int64 { return &s.kept.others },
		Admin:  func(s *Store) *atomic.Int64 { return &s.kept.some },
	} {
		t.Run(string(scope), func(t *testing.T) {
			s, path := fresh(t)
			if _, err := s.Record(Event{Who: "root", Action: "put-secret"}, Root()); err != nil {
				t.Fatal(err)
			}
			var last uint64
			for i := range 3 {
				seq, err := s.Record(Event{Who: "ada", Action: "stop-build"}, Grants{{Scope: scope, Projects: []string{"api"}}})
				if err != nil {
					t.Fatal(err)
				}
				last = seq
				if i == 1 {
					counted(s).Store(maxEvents) // as if there were so many
				}
			}
			if err := s.Result(last, 200); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Store{s, open(t, killed(t, path))} {
				page, next, err := s.Events(Filter{}, "", 10)
				if err != nil || next != "" || len(page) != 3 || page[2].Who != "root" || page[0].Result != 200 || page[1].Seq != 3 {
					t.Errorf("the log has %+v (%v), want what root did, and ada's last two", page, err)
				}
			}
		})
	}
}

func TestPagesOfTheAuditLogLeaveNothingOut(t *testing.T) {
	s, _ := fresh(t)
	for i := range 60 {
		e := Event{Who: fmt.Sprint("w", i%3), Action: fmt.Sprint(i)}
		if i%4 == 0 {
			s.Refused(e)
			if err := s.flush(); err != nil {
				t.Fatal(err)
			}
		} else if _, err := s.Record(e, Root()); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []Filter{{}, {Who: "w1"}, {Action: "7"}, {Since: time.Now().Add(-time.Hour)}} {
		want := 0
		for i := 59; i >= 0; i-- {
			if e := (Event{Who: fmt.Sprint("w", i%3), Action: fmt.Sprint(i), At: time.Now()}); f.fits(&e) {
				want++
			}
		}
		got, last := 0, uint64(1<<63)
		for cursor := ""; ; {
			page, next, err := s.Events(f, cursor, 7)
			if err != nil || len(page) > 7 {
				t.Fatalf("%d records, %v", len(page), err)
			}
			for _, e := range page {
				if got++; e.Seq >= last {
					t.Errorf("record %d comes after %d", e.Seq, last)
				}
				last = e.Seq
			}
			if cursor = next; next == "" {
				break
			}
		}
		if got != want {
			t.Errorf("%+v: %d records of %d", f, got, want)
		}
	}
	if _, _, err := s.Events(Filter{}, "x", 7); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestAFileOfANewerBinaryIsRefusedAndADamagedOneReported(t *testing.T) {
	s, path := fresh(t)
	if _, _, err := s.Create("ada", reading, time.Time{}, "admin"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	report := func() (out []string) {
		if err := Check(path, func(p string) { out = append(out, p) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if wrong := report(); len(wrong) > 0 {
		t.Errorf("a sound file: %v", wrong)
	}
	change := func(f func(tx *bbolt.Tx) error) {
		db, err := openFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(f), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	change(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(metaVersion, number(Format+1)) })
	if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "newer binary") {
		t.Errorf("a newer file: %v", err)
	}
	raw, _ := json.Marshal(Token{Name: "eve"})
	change(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTokens).Put([]byte("eve"), raw) })
	if wrong := report(); len(wrong) != 2 {
		t.Errorf("reported: %v", wrong)
	}
	if err := Check(filepath.Join(t.TempDir(), "none"), func(p string) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}
