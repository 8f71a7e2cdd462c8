package org.example;

public class Calc {
    static int div(int a, int b) {
        if (b == 0) {
            return 0;
        }
        return b > 100 ? 0 : a / b;
    }

    static int never() {
        return 1;
    }
}
