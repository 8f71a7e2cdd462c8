package org.example;

import org.testng.Assert;
import org.testng.SkipException;
import org.testng.annotations.AfterClass;
import org.testng.annotations.DataProvider;
import org.testng.annotations.Test;

public class CalcTest {
    @DataProvider
    public Object[][] data() {
        return new Object[][] {{1, "größer"}, {2, null}};
    }

    @Test
    public void divides() throws Exception {
        Thread.sleep(20);
        Assert.assertEquals(Calc.div(6, 3), 2);
    }

    @Test(dataProvider = "data")
    public void rows(int number, String text) {
        Assert.assertTrue(number > 0);
    }

    @Test
    public void fails() {
        Assert.assertEquals("a\nb <&>", "a\nc ]]>");
    }

    @Test
    public void skipped() {
        throw new SkipException("not today");
    }

    @AfterClass
    public void tearDown() {
        throw new IllegalStateException("still open");
    }
}
