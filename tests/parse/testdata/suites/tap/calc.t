use strict; use warnings; use utf8;
use Test::More tests => 6;
binmode(Test::More->builder->output, ':utf8');
binmode(Test::More->builder->failure_output, ':utf8');
ok(1, 'passes');
is("a\nb", "a\nc", 'fails');
SKIP: { skip 'not here', 1; }
TODO: { local $TODO = 'not yet'; ok(0, 'to be done'); }
subtest 'größer' => sub { plan tests => 2; ok(1, 'inner'); ok(0, 'inner fails'); };
ok(1);
