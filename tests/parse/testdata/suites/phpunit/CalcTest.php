<?php
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/Calc.php';

class CalcTest extends TestCase
{
    public function testPasses(): void { $this->assertSame(2, (new Calc)->div(6, 3)); }
    public function testFails(): void { $this->assertSame("a\nb <&>", "a\nc"); }
    public function testErrors(): void { throw new RuntimeException('broken'); }
    public function testSkipped(): void { $this->markTestSkipped('not here'); }
    public function testIncomplete(): void { $this->markTestIncomplete('not yet'); }
    public function testRisky(): void { }

    /** @dataProvider values */
    public function testProvided(int $n): void { $this->assertGreaterThan(0, $n); }
    public function values(): array { return ['one' => [1], 'größer' => [2], [0]]; }
}
