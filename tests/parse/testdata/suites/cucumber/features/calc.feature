Feature: Calculating
  Background:
    Given a calculator

  Scenario: Divides
    When I divide 6 by 3
    Then I see 2

  Scenario: Fails
    When I divide 6 by 3
    Then I see 5
    And I see 2

  Scenario: Pending
    When I wait

  Scenario: Undefined
    When nobody knows this

  Scenario Outline: Größer
    When I divide <a> by 1
    Then I see <a>

    Examples:
      | a |
      | 1 |
      | 2 |
