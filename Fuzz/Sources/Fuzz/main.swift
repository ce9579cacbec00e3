import CFuzzer
import Glibc

// fuzz TARGET [LIBFUZZER'S OPTIONS AND CORPUS FOLDERS]; without arguments the targets' names.
// fuzz --seeds FOLDER writes the seeds of those that are made, not collected.

guard CommandLine.argc > 1, let name = CommandLine.unsafeArgv[1].map({ String(cString: $0) }) else {
    for target in Target.all { print(target.name) }
    exit(0)
}
if name == "--seeds", CommandLine.argc > 2, let folder = CommandLine.unsafeArgv[2].map({ String(cString: $0) }) {
    Seed.write(to: folder)
    exit(0)
}
guard let chosen = Target.all.first(where: { $0.name == name }) else {
    print("fuzz: no target \(name)")
    exit(1)
}
chosen.choose()

// libFuzzer's own arguments follow the target's name.
CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
var count = CommandLine.argc - 1
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
exit(
    LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
        Target.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
        return 0
    })
