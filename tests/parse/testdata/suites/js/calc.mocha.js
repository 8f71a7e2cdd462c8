const assert = require('assert');
const { div } = require('./calc');

describe('div', function () {
  it('divides', async function () { await new Promise((done) => setTimeout(done, 20)); assert.strictEqual(div(6, 3), 2); });
  it('fails with <&>', function () { assert.strictEqual('a\nb', 'a\nc'); });
  it.skip('is pending', function () {});
  describe('inner', function () {
    it('größer', function () { assert.ok(true); });
  });
});

describe('hooks', function () {
  before(function () { throw new Error('set-up fails'); });
  it('never runs', function () {});
});
