using System;
using System.Threading;
using NUnit.Framework;

namespace Calc {
    [TestFixture]
    public class DivTests {
        [Test]
        public void Divides() {
            Thread.Sleep(20);
            Assert.AreEqual(2, 6 / 3);
        }

        [TestCase(1.5, "a.b")]
        [TestCase(2, "größer")]
        public void Cases(double number, string text) {
            Assert.Greater(number, 0);
        }

        [Test]
        public void Fails() {
            Assert.AreEqual("a\nb <&>", "a\nc ]]>");
        }

        [Test]
        public void Throws() {
            throw new Exception("broken");
        }

        [Test, Ignore("not today")]
        public void Ignored() {
        }

        [Test]
        public void Unsure() {
            Assert.Inconclusive("nobody knows");
        }
    }
}
