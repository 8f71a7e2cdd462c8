package org.example;

import static org.junit.Assert.assertEquals;

import org.junit.Ignore;
import org.junit.Test;

public class CalcTest {
    private static int tries;

    @Test
    public void divides() throws Exception {
        Thread.sleep(20);
        assertEquals(2, Calc.div(6, 3));
    }

    @Test
    public void fails() {
        System.out.println("printed before the failure");
        assertEquals("a\nb <&> größer", "a\nc ]]> größer");
    }

    @Test
    public void errors() {
        throw new IllegalStateException("broken");
    }

    @Ignore("not today")
    @Test
    public void skipped() {
    }

    @Test
    public void flakes() {
        assertEquals("first try", 1, tries++);
    }
}
