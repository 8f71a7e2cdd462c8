package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"

	"github.com/wneessen/go-mail"

	"github.com/runner-ci/runner/notify/message"
	"github.com/runner-ci/runner/outbox"
)

// Mail is the server that emails are handed to.
type Mail struct {
	Host     string
	Port     int // 0: the usual one
	Username string
	Password string
	From     string
	TLS      string // "starttls" (default), "tls", "off"
}

// Email sends a message to people, each of whom sees only their own address.
func (s *Sender) Email(ctx context.Context, server Mail, to []string, subject, template string, m message.Message) error {
	what := "notification " + m.Name + " by " + server.Host
	head, err := m.Subject(subject)
	if err != nil {
		return err
	}
	text, err := m.Render(template)
	if err != nil {
		return err
	}
	var open []net.Conn
	var mu sync.Mutex
	hangUp := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	}
	defer hangUp() // the library leaves one open where the server does not offer what it is to have
	// Each step may take sendTimeout, of which a server that stalls can be made many.
	defer context.AfterFunc(ctx, hangUp)()
	client, err := s.mailer(server, func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{Timeout: sendTimeout}).DialContext(ctx, network, address)
		if err == nil && server.TLS == "tls" {
			c = tls.Client(c, s.trust(server.Host))
		}
		if err == nil {
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			if ctx.Err() != nil {
				hangUp() // the time was over before there was anything to close
			}
		}
		return c, err
	})
	if err != nil {
		return outbox.Refuse("%s: %v; correct smtp in the configuration", what, err)
	}
	var all []*mail.Msg
	for _, address := range to {
		one, err := compose(server.From, address, head, text, m)
		if err != nil {
			return outbox.Refuse("%s: %v; correct the address", what, err)
		}
		all = append(all, one)
	}
	if err := client.DialAndSendWithContext(ctx, all...); err != nil {
		return mailFault(what, err)
	}
	return nil
}

// ports of mail servers, by the way in which they are spoken to.
var ports = map[string]int{"tls": 465, "starttls": 587, "": 587, "off": 25}

func (s *Sender) mailer(server Mail, dial mail.DialContextFunc) (*mail.Client, error) {
	policy := mail.TLSMandatory
	if server.TLS == "off" || server.TLS == "tls" { // of the latter, what is dialled is encrypted
		policy = mail.NoTLS
	}
	opts := []mail.Option{
		mail.WithTimeout(sendTimeout), mail.WithDialContextFunc(dial), mail.WithPort(cmp.Or(server.Port, ports[server.TLS])),
		mail.WithTLSPolicy(policy), mail.WithTLSConfig(s.trust(server.Host)),
	}
	if server.Username != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(server.Username), mail.WithPassword(server.Password))
	}
	return mail.NewClient(server.Host, opts...)
}

// trust is how a mail server's certificate is judged.
func (s *Sender) trust(host string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		c = s.TLS.Clone()
	}
	c.ServerName = host
	return c
}

// compose makes an email. Its Message-ID is that of the message and the address, so that mail programs show one that came twice
// once; those of one project's ref make a thread.
func compose(from, to, subject, text string, m message.Message) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(from), msg.To(to)); err != nil {
		return nil, err
	}
	msg.Subject(subject)
	host := "runner"
	if _, domain, ok := strings.Cut(strings.TrimRight(from, ">"), "@"); ok {
		host = domain
	}
	msg.SetMessageIDWithValue(m.ID + "." + fmt.Sprintf("%x", to) + "@" + host)
	msg.SetGenHeader(mail.HeaderReferences, "<"+threadOf(m)+"@"+host+">")
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetDateWithValue(m.Ended)
	msg.SetBodyString(mail.TypeTextPlain, text+"\n")
	return msg, nil
}

// threadOf is a word for the builds of one project's ref.
func threadOf(m message.Message) string { return fmt.Sprintf("%s.%x", m.Project, m.Ref) }

// mailFault tells a refusal that will stay from one that may pass.
func mailFault(what string, err error) error {
	var said *mail.SendError
	var answer *textproto.Error
	var network net.Error
	switch {
	case errors.As(err, &network):
	case errors.As(err, &said) && !said.IsTemp(), errors.As(err, &answer) && answer.Code >= 500:
		return outbox.Refuse("%s: %v; look at smtp in the configuration and at the addresses", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
