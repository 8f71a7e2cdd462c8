// Package figures is what make bench measures: the table of all figures with their goals, and the way from what measures
// one to what prints it.
//
// A figure is a ratio of ours to theirs, something real that is measured in the same run. Add one in two steps:
//
//  1. Write what measures it: a benchmark whose name begins with BenchmarkFigure, in the package that it is about, which
//     runs the figure as a sub-benchmark of its name; or a command that is given the names of figures and gives samples.
//
//     func BenchmarkFigureStart(b *testing.B) {
//     d := newDaemon(b, …)
//     figures.Run(b, "start-cold", "s", func(b *testing.B) (ours, theirs float64) { … })
//     }
//
//  2. Add its line to Table: name, goal, where it is measured, how often.
//
// make bench then runs it, prints it and writes it as JSON; FIGURE=regexp runs some alone. A figure that is not measured is
// an error, and so is one that no line of the table names; one whose peer cannot be had on the machine is left out with
// LeaveOut, which tells why. A test that wants to hold a goal asks Find.
package figures
