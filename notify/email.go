package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"

	"github.com/wneessen/go-mail"

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
func (s *Sender) Email(ctx context.Context, server Mail, to []string, subject, template string, m Message) error {
	what := "notification " + m.Name + " by " + server.Host
	head, err := m.subject(subject)
	if err != nil {
		return err
	}
	text, err := m.text(template)
	if err != nil {
		return err
	}
	client, err := s.mailer(server)
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

func (s *Sender) mailer(server Mail) (*mail.Client, error) {
	opts := []mail.Option{mail.WithTimeout(sendTimeout), mail.WithTLSPolicy(mail.TLSMandatory)}
	switch server.TLS {
	case "tls":
		opts = append(opts, mail.WithSSLPort(false))
	case "off":
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPortPolicy(mail.TLSMandatory))
	}
	if server.Port > 0 {
		opts = append(opts, mail.WithPort(server.Port))
	}
	if s.TLS != nil {
		c := s.TLS.Clone()
		c.ServerName = server.Host
		opts = append(opts, mail.WithTLSConfig(c))
	}
	if server.Username != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(server.Username), mail.WithPassword(server.Password))
	}
	return mail.NewClient(server.Host, opts...)
}

// compose makes an email. Its Message-ID is that of the message and the address, so that mail programs show one that came twice
// once; those of one project's ref make a thread.
func compose(from, to, subject, text string, m Message) (*mail.Msg, error) {
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
func threadOf(m Message) string { return fmt.Sprintf("%s.%x", m.Project, m.Ref) }

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
