package scheduler

import (
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
)

// Webhook is what is known of a project's webhook at its forge.
type Webhook struct {
	Project    string    `json:"project"`
	State      string    `json:"state"`
	Forge      string    `json:"forge,omitempty"`
	API        string    `json:"api,omitempty"`
	Repository string    `json:"repository,omitempty"` // as the API calls it
	Target     string    `json:"target,omitempty"`     // the address that the forge tells
	Problem    string    `json:"problem,omitempty"`
	Hint       string    `json:"hint,omitempty"`
	At         time.Time `json:"at"`
	// Made is what it was made of: when that changes it is made anew.
	Made string `json:"made,omitempty"`
	// Username and Token remove it when the project is gone. The token is a reference.
	Username string        `json:"username,omitempty"`
	Token    config.Secret `json:"token,omitempty"`
}

// Webhook returns what is known of a project's webhook; the error wraps ErrNotFound where nothing is.
func (s *Scheduler) Webhook(project string) (w *Webhook, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		w, err = get[Webhook](tx, bucketWebhooks, []byte(project))
		return err
	})
	return w, err
}

// Webhooks returns what is known of the webhooks of all projects, those that are gone too.
func (s *Scheduler) Webhooks() (all []Webhook, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketWebhooks).ForEach(func(k, _ []byte) error {
			w, err := get[Webhook](tx, bucketWebhooks, k)
			if err == nil {
				all = append(all, *w)
			}
			return err
		})
	})
	return all, err
}

// PutWebhook stores what is known of a project's webhook.
func (s *Scheduler) PutWebhook(w Webhook) error {
	return s.group.update(func(tx *bbolt.Tx) error { return put(tx, bucketWebhooks, []byte(w.Project), w) })
}

// ForgetWebhook drops what is known of a project's webhook.
func (s *Scheduler) ForgetWebhook(project string) error {
	return s.group.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketWebhooks).Delete([]byte(project)) })
}
