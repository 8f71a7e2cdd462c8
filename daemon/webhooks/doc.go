// Package webhooks keeps the webhooks of projects at their forges: it registers them, tries them out, and removes those that
// it made.
//
// Each step can be done twice, so that a daemon which dies between two of them goes on with the next start:
//
//  1. The forge is found out.
//  2. A secret is made and sealed in the secret store, unless there is one.
//  3. The forge is asked for the webhook that tells the project's own address of this daemon. It is made, or brought up to date.
//  4. What came of it is stored.
//
// The address bears the project's name, so that each project has a webhook and a secret of its own, whoever else has the
// same repository.
package webhooks
