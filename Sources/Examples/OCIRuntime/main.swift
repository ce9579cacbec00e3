import Glibc

exit(runProgram(Array(CommandLine.arguments.dropFirst())))
