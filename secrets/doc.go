// Package secrets is the daemon's store of parameters and secrets: what a buildspec's env.parameter-store and
// env.secrets-manager resolve against.
//
// Values are sealed with age (https://age-encryption.org/v1) to an identity that lies outside the data directory, so
// that a copy of the data directory, or a backup, tells no secret. A secret has a name, versions, and a scope: the
// projects and refs whose builds may have it.
package secrets
