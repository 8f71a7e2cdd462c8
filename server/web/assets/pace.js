// How long a page that is live waits until it asks for the same again, in milliseconds: 200 times as long as the daemon took to answer,
// but at least a second and at most three. So 200 people who look at one build leave the daemon time for other things.
window.pace = answer => {
  "use strict";
  const took = /dur=([\d.]+)/.exec(answer.headers.get("Server-Timing"));
  return Math.min(3000, Math.max(1000, took ? 200 * took[1] : 0));
};
