const { Given, When, Then } = require('@cucumber/cucumber');
const assert = require('assert');

Given('a calculator', function () { this.value = 0; });
When('I divide {int} by {int}', function (a, b) { this.value = a / b; });
When('I wait', () => 'pending');
Then('I see {int}', function (n) { assert.strictEqual(this.value, n, 'the value\ndiffers <&>'); });
