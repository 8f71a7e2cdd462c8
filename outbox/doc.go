// Package outbox is what the outside has yet to be told, kept in state.db until it was.
//
// An item is put by the transaction of the fact that it tells of, so that the fact and the duty to tell it are on disk
// together or not at all:
//
//  1. Put stores the item. One of the same kind with the same key that still waits is replaced: the latest is told.
//  2. Run sends what waits, one at a time in each lane and a few lanes at once, so that a receiver which does not answer
//     holds up nobody but those who wait for the same one.
//  3. What was sent is dropped. A daemon that dies between 2 and 3 sends it again, so each Sender can be called twice
//     for the same item and does the same thing once.
//  4. What could not be sent is tried again after a pause, which grows, for up to a day (MaxAge); then it is dropped, and
//     so is at once what is refused for good. Dropped items leave a record that says why.
//
// Nothing here fails or delays who puts an item: beyond MaxWaiting the oldest go, and an item that is too large is
// dropped, both with a record.
package outbox
