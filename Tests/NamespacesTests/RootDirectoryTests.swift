import Glibc
import Linux
import Namespaces
import TestSupport
import Testing

/// A tree whose owner wants out: every link in it leads somewhere that only the host has.
@Suite struct RootDirectoryTests {
    /// Makes `BASE/secret` (the host's) and the hostile tree `BASE/root`, and hands out both paths.
    func withHostileTree<Value>(_ body: (_ root: String, _ secret: String) throws -> Value) throws -> Value {
        try withTemporaryDirectory { base in
            let root = "\(base)/root"
            let secret = "\(base)/secret"
            try makeDirectory(secret)
            try makeFile("\(secret)/key", "host")
            for directory in ["", "/etc", "/usr", "/usr/lib", "/dev"] { try makeDirectory(root + directory) }
            try makeFile("\(root)/etc/passwd", "tree")
            try makeFile("\(root)/file", "tree")
            try makeLink("\(root)/up", to: "../../../../../../..\(secret)")
            try makeLink("\(root)/absolute", to: secret)
            try makeLink("\(root)/parent", to: "../secret")
            try makeLink("\(root)/usr/deep", to: "../../../secret/new")
            try makeLink("\(root)/chain", to: "usr/deep")
            try makeLink("\(root)/loop", to: "pool")
            try makeLink("\(root)/pool", to: "loop")
            try makeLink("\(root)/magic", to: "/proc/self/root")
            try makeLink("\(root)/run", to: "/var/run/../lock/./x")
            try makeLink("\(root)/slash", to: "/")
            try makeLink("\(root)/toFile", to: "made-by-link")
            try makeLink("\(root)/ok", to: "/etc/passwd")
            return try body(root, secret)
        }
    }

    /// Everything below a directory with its kind, to see what changed.
    func listing(_ path: String) throws -> [String] {
        var entries: [String] = []
        guard let directory = opendir(path) else { throw SystemError("opendir \(path)", .current) }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            entries.append(name)
            if entry.pointee.d_type == UInt8(DT_DIR) {
                entries += try listing("\(path)/\(name)").map { "\(name)/\($0)" }
            }
        }
        return entries.sorted()
    }

    @Test func linksStayInside() throws {
        try withHostileTree { path, _ in
            let root = try RootDirectory(path: path)
            #expect(try root.open("ok", .readOnly).readToEnd() == Array("tree".utf8))
            #expect(try root.open("/../../etc/../ok", .readOnly).readToEnd() == Array("tree".utf8))
            #expect(try root.open("slash/slash/file", .readOnly).readToEnd() == Array("tree".utf8))
            for link in ["up/key", "absolute/key", "parent/key", "chain"] {
                #expect(refusal { _ = try root.open(link, .path) }?.errno == .noSuchFileOrDirectory, "\(link)")
            }
            #expect(refusal { _ = try root.open("loop", .path) }?.errno == .tooManySymbolicLinks)
            #expect(refusal { _ = try root.open("file\0x", .path) }?.errno == .invalidArgument)
            #expect(try root.open("", .path).status() == root.descriptor.status())
        }
    }

    @Test func missingDirectoriesAreMadeInsideOnly() throws {
        try withHostileTree { path, secret in
            let before = try listing(secret)
            let root = try RootDirectory(path: path)
            let plain = try root.makeDirectory("a/b/../c//d/", mode: 0o700)
            #expect(try plain.status() == Descriptor.open("\(path)/a/c/d", .path).status())
            #expect(try plain.status().mode & 0o777 == 0o700)
            for link in ["up/x", "absolute/x", "parent/x", "chain/x", "run/y", "../../x"] {
                let made = try root.makeDirectory(link)
                #expect(try made.status().isDirectory)
                // What was made is what the kernel finds there itself.
                #expect(try root.open(link, [.path, .directory]).status() == made.status(), "\(link)")
            }
            #expect(access("\(path)\(secret)/x", F_OK) == 0)
            #expect(access("\(path)/secret/new/x", F_OK) == 0)
            #expect(access("\(path)/var/lock/x/y", F_OK) == 0)
            #expect(try listing(secret) == before)
            #expect(access("\(path)/../x", F_OK) == -1)
            #expect(refusal { _ = try root.makeDirectory("file/x") }?.errno == .notADirectory)
            #expect(refusal { _ = try root.makeDirectory("loop/x") }?.errno == .tooManySymbolicLinks)
            #expect(refusal { _ = try root.makeDirectory("new/\0") }?.errno == .invalidArgument)
        }
    }

    @Test func missingFilesAreMadeInsideOnly() throws {
        try withHostileTree { path, secret in
            let root = try RootDirectory(path: path)
            let file = try root.makeFile("absolute/key", mode: 0o600)
            #expect(try file.status().isRegularFile && file.status().size == 0)
            #expect(try readText("\(secret)/key") == "host")
            #expect(try Descriptor.open("\(path)\(secret)/key", .path).status() == file.status())
            let linked = try root.makeFile("toFile")
            #expect(try Descriptor.open("\(path)/made-by-link", .path).status() == linked.status())
            #expect(try root.makeFile("ok").status().size == 4)
            #expect(refusal { _ = try root.makeFile("etc") }?.errno == .isADirectory)
            #expect(refusal { _ = try root.makeFile("none/..") }?.errno == .isADirectory)
            #expect(refusal { _ = try root.makeFile("file/x") }?.errno == .notADirectory)
            #expect(try listing(secret) == ["key"])
        }
    }

    @Test(.needs(.root)) func nodesAndLinksAreMadeInside() throws {
        try withHostileTree { path, secret in
            let root = try RootDirectory(path: path)
            let null = try root.makeNode("parent/null", mode: S_IFCHR | 0o666, device: (1, 3))
            _ = try NullDevice(verifying: null)
            try root.makeSymbolicLink("dev/ptmx", to: "pts/ptmx")
            #expect(try root.open("dev/ptmx", [.path, .noFollow]).status().isSymbolicLink)
            #expect(refusal { try root.makeSymbolicLink("file", to: "x") }?.errno == .fileExists)
            #expect(refusal { try root.makeNode("file", mode: S_IFIFO | 0o600) }?.errno == .fileExists)
            #expect(refusal { try root.makeSymbolicLink("a/..", to: "x") }?.errno == .invalidArgument)
            #expect(refusal { try root.makeSymbolicLink("/", to: "x") }?.errno == .invalidArgument)
            #expect(try listing(secret) == ["key"])
        }
    }

    @Test(.needs(.root)) func magicLinksAreRefused() throws {
        try withHostileTree { path, _ in
            try onPrivateThread {
                try makeDirectory("\(path)/proc")
                try DetachedMount("proc").attach(to: "\(path)/proc")
                let root = try RootDirectory(path: path)
                #expect(refusal { _ = try root.open("magic", .path) }?.errno == .tooManySymbolicLinks)
                #expect(refusal { _ = try root.open("proc/self/exe", .path) }?.errno == .tooManySymbolicLinks)
                #expect(refusal { _ = try root.makeDirectory("magic/x") }?.errno == .tooManySymbolicLinks)
                #expect(refusal { _ = try root.makeDirectory("proc/self/cwd/x") }?.errno == .tooManySymbolicLinks)
                // A plain link of procfs is fine where all is there.
                _ = try root.open("proc/mounts", .path)
            }
        }
    }

    /// One thread swaps a directory for a link that leads out while another makes directories below it.
    @Test func aRaceLeadsNowhere() throws {
        try withHostileTree { path, secret in
            let stop = Flag()
            let swapper = Swapper("\(path)/swap", "\(path)/swap-link", stop)
            try makeDirectory("\(path)/swap")
            try makeLink("\(path)/swap-link", to: "../secret")
            try swapper.start()
            let root = try RootDirectory(path: path)
            var made = 0
            for index in 0..<1000 {
                if (try? root.makeDirectory("swap/d\(index)/e")) != nil { made += 1 }
                if (try? root.makeFile("swap/f\(index)")) != nil { made += 1 }
            }
            stop.set()
            try swapper.join()
            #expect(made > 0)
            #expect(try listing(secret) == ["key"])
        }
    }
}
