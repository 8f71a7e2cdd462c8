require 'simplecov'
SimpleCov.start do
  enable_coverage :branch
  add_filter(/_spec/)
end
require_relative 'calc'

RSpec.describe 'div' do
  it('divides') { expect(div(6, 3)).to eq 2 }
  it('fails') { expect("a\nb <&>").to eq "a\nc" }
  it('errors') { raise 'broken' }
  xit('is pending') {}
  context 'größer' do
    [1, 2].each { |n| it("takes #{n}") { expect(n).to be > 0 } }
  end
  it { expect(1).to eq 1 }
end
