package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-ci/runner/source/pack"
)

// What somebody submitted is nobody else's business. A pack that a laptop sent bears in its name whose it is:
// pack-of-<owner>-<checksum>, beside those that were fetched, pack-<checksum>. Three places look at that:
//
//  1. Known and Receive see what was fetched from the repository itself and what the same person submitted. Anything else
//     is, for who asks and for what is sent, not there: neither as a commit, nor as the base of a delta, nor as an object
//     that was left out.
//  2. A fetch sees what was fetched, so that what is pushed later comes again, and becomes everybody's.
//  3. A job is lent the packs that were fetched and, for a submit, those of its sender.
//
// The daemon itself reads them all: which commit is built was decided before.

const ownedPrefix = "pack-of-"

// ownerLength is how many hexadecimal digits stand for a person.
const ownerLength = 32

// SubmitRef is the ref under which what somebody submits is kept: refs/runner/submit/<day>/<owner>-<id>. It does not show
// who that is.
func SubmitRef(at time.Time, who, id string) string {
	return refsSubmit + day(at) + "/" + ownerOf(who) + "-" + id
}

// ownerOf stands for a person where names might be anything.
func ownerOf(who string) string {
	sum := sha256.Sum256([]byte(who))
	return hex.EncodeToString(sum[:])[:ownerLength]
}

// refOwner tells whose submit a ref names; it is empty for any other ref.
func refOwner(ref string) string {
	rest, ok := strings.CutPrefix(ref, refsSubmit)
	if !ok {
		return ""
	}
	_, last, _ := strings.Cut(rest, "/")
	owner, _, ok := strings.Cut(last, "-")
	if !ok || !isOwner(owner) {
		return ""
	}
	return owner
}

func isOwner(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == ownerLength
}

// ownedPack is the name of a pack as its owner's.
func ownedPack(owner, name string) string {
	if owner == "" {
		return name
	}
	return ownedPrefix + owner + "-" + strings.TrimPrefix(name, "pack-")
}

// packOwner tells whose a pack is, by its file's name, and what it is called where that does not matter. The owner is
// empty for what was fetched.
func packOwner(file string) (owner, plain string) {
	rest, ok := strings.CutPrefix(file, ownedPrefix)
	if !ok {
		return "", file
	}
	owner, sum, ok := strings.Cut(rest, "-")
	if !ok || !isOwner(owner) {
		return "?", file // nobody's
	}
	return owner, "pack-" + sum
}

// seenBy tells whether an owner may see a pack.
func seenBy(owner string) func(file string) bool {
	return func(file string) bool {
		of, _ := packOwner(file)
		return of == "" || of == owner
	}
}

// as is what an owner sees of a mirror. It lives as long as the view.
func (v *view) as(owner string) *pack.Objects {
	may := seenBy(owner)
	return v.Only(func(p *pack.Pack) bool { return may(filepath.Base(p.Path())) })
}

// openAs opens what an owner sees of a mirror.
func (m mirror) openAs(ctx context.Context, owner string) (*view, error) {
	use, err := m.use(ctx)
	if err != nil {
		return nil, err
	}
	return m.openUsed(use, seenBy(owner))
}

// byOwner parts the packs of a view by whose they are.
func (v *view) byOwner() map[string][]*pack.Pack {
	out := make(map[string][]*pack.Pack)
	for _, p := range v.Packs() {
		owner, _ := packOwner(filepath.Base(p.Path()))
		out[owner] = append(out[owner], p)
	}
	return out
}
