// Package certificates gives the listener its certificate for TLS: from files, which are read again when they change, or
// from a certificate authority that speaks ACME. A certificate that cannot be read takes the place of none that could.
package certificates
