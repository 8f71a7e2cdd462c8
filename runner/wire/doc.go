// Package wire is what crosses the edge of a sandbox: the job that goes in, the frames that come out, and
// their encoding. It imports the standard library only, because the agent, which is mounted into every
// sandbox, is built from it.
//
// # Lines
//
// Both directions are lines of text, so that a reader which meets garbage finds the next good line:
//
//	r1 SEQ KIND CRC JSON\n
//
// "r1" names the protocol's version, SEQ is a decimal number, KIND a word, CRC the CRC-32C (Castagnoli) of
// "SEQ KIND JSON" in eight hexadecimal digits, and JSON one compact value with no newline in it. A line that
// does not parse, or whose sum is wrong, is dropped and counted.
//
// # Conversation
//
//  1. The daemon attaches, writes one newline (which ends whatever half a line a dead predecessor left), then
//     hello{epoch, lastFrame}. The epoch grows with every start of the daemon; the agent refuses an older one.
//  2. The agent answers welcome (SEQ 0, never spooled), then sends every spooled frame after lastFrame, then
//     new ones as they come.
//  3. The daemon sends job once. An agent that already has that attempt ignores it; another attempt is refused.
//  4. The agent runs the job. Each frame is appended to the spool file before it is sent, so that the spool is
//     the truth and the pipe is only transport: a missing, closed or slow reader never ends or slows the job.
//  5. While it runs, the agent may ask the daemon for something: request (SEQ 0), one at a time, answered by an answer
//     of the same id. It goes on asking in each welcome until it is answered. What takes room, a cache, lies in the
//     spool's directory when the answer comes. The daemon may say resume, and says it again until the agent has said
//     resumed; it may say stop, which ends the job early, and says it again on each connection.
//  6. The last frame is done. The spool is synced to disk before it is sent, and the agent exits with status 0.
//
// Frames from the agent are numbered from 1 without gaps. A reader that sees a gap knows that the record was
// damaged. Nothing in a frame names a path on the host.
package wire
