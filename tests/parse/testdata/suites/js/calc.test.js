const { div } = require('./calc');

describe('div', () => {
  it('divides', () => { expect(div(6, 3)).toBe(2); });
  it('fails with <&> and "quotes"', () => { expect('a\nb').toBe('a\nc'); });
  it.skip('is skipped', () => {});
  it.todo('is to be done');
  describe('größer', () => {
    it.each([1, 2])('takes %i', (n) => { expect(n).toBeGreaterThan(0); });
  });
});
