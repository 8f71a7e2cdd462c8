// Package oidc has people log in with a provider of identities, by OpenID Connect: the authorization code flow with PKCE,
// a state that is good once and in one browser alone, and a nonce. What a person may do is not its business: it hands on the
// name and the groups that the provider vouches for.
package oidc
