// Package statuses tells forges what has become of builds: statuses of commits, and a comment on a pull request.
//
// It sends the outbox's items of the kinds scheduler.ItemStatus and scheduler.ItemComment. What is told is made of the same
// record that the API shows, when it is sent, so that a forge never says anything else than the daemon does. Sending twice
// is sending once: a status takes the place of one with the same name, and a comment is found again by a mark in it.
//
// What a job says is not trusted. Names, messages and source lines stand in code of Markdown that they cannot leave, so that
// they neither call people, nor link, nor show images.
package statuses
