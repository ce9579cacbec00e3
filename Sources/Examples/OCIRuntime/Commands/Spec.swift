import Glibc
import Linux
import OCI

extension Command {
    static var spec: Command {
        let rootless = Option("rootless", "for a user without privileges on this host")
        return Command(
            name: "spec", summary: "Write a config.json to start from.", usage: "",
            options: [ContainerOptions.bundle, rootless], arguments: 0...0
        ) { arguments, _ throws(Failure) in
            let path = (arguments[ContainerOptions.bundle].map { "\($0)/" } ?? "") + "config.json"
            let document =
                arguments.isSet(rootless)
                ? Configuration.rootlessTemplate(uid: geteuid(), gid: getegid()) : Configuration.template()
            do throws(SystemError) {
                let file = try Descriptor.open(path, [.writeOnly, .create, .exclusive], mode: 0o666)
                try file.write(document.json.encodedBytes(indentation: "\t") + Array("\n".utf8))
            } catch {
                if error.errno == .fileExists { throw Failure("\(path) exists: remove it first") }
                throw Failure("\(error)")
            }
            return 0
        }
    }
}
