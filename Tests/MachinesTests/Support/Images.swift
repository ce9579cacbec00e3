import Glibc
import Linux

@testable import Machines

/// A folder for a test's files, which goes with it.
final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/bulkhead-machines.XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    private var names: [String] = []

    /// A file with these bytes.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        names.append(name)
        let file = try Descriptor.open("\(path)/\(name)", [.writeOnly, .create, .truncate])
        try file.write(bytes)
        return "\(path)/\(name)"
    }

    /// A file of zeros, which takes no room.
    func hole(_ name: String, size: Int) throws -> String {
        let path = try file(name, [])
        guard truncate(path, size) == 0 else { throw Errno.current }
        return path
    }
}

/// A kernel as tests make it: an ELF file with one segment, and a note where it has a PVH entry.
struct TestELF {
    var code: [UInt8] = [0xf4]
    var address: UInt64 = 0x100000
    /// More than the code: zeros.
    var memorySize: UInt64?
    var entry: UInt64?
    var pvhEntry: UInt32?
    var machine: UInt16 = 62
    var type: UInt16 = 2
    var classByte: UInt8 = 2

    var bytes: [UInt8] {
        let count = pvhEntry == nil ? 1 : 2
        let noteStart = 64 + 56 * count
        var note: [UInt8] = []
        if let pvhEntry {
            // One of somebody else's before.
            for value: UInt32 in [4, 4, 18] { note.add(value) }
            note += Array("Abc\0".utf8) + [9, 9, 9, 9]
            for value: UInt32 in [4, 4, 18] { note.add(value) }
            note += Array("Xen\0".utf8)
            note.add(pvhEntry)
        }
        let codeStart = noteStart + note.count
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, classByte, 1, 1] + [UInt8](repeating: 0, count: 9)
        file.add(type)
        file.add(machine)
        file.add(UInt32(1))
        file.add(entry ?? address)
        file.add(UInt64(64))
        file.add(UInt64(0))
        file.add(UInt32(0))
        file.add(UInt16(64))
        file.add(UInt16(56))
        file.add(UInt16(count))
        file += [UInt8](repeating: 0, count: 6)
        file += segment(1, UInt64(codeStart), address, UInt64(code.count), memorySize ?? UInt64(code.count))
        if pvhEntry != nil { file += segment(4, UInt64(noteStart), 0, UInt64(note.count), UInt64(note.count)) }
        return file + note + code
    }

    private func segment(
        _ type: UInt32, _ offset: UInt64, _ address: UInt64, _ fileSize: UInt64, _ memorySize: UInt64
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.add(type)
        bytes.add(UInt32(7))
        for value in [offset, address, address, fileSize, memorySize, 4] { bytes.add(value) }
        return bytes
    }
}

/// A bzImage as tests make it: two sectors of set-up, then code at the 64-bit entry.
struct TestBzImage {
    var code: [UInt8] = [0xf4]
    var version: UInt16 = 0x20f
    var flags: UInt16 = 1
    var loadFlags: UInt8 = 1
    var preferredAddress: UInt64 = 0x100_0000
    var neededSize: UInt32 = 0x10_0000
    var lastRAMDiskByte: UInt32 = 0x7fff_ffff
    var commandLineSize: UInt32 = 2047

    var bytes: [UInt8] {
        var file = [UInt8](repeating: 0, count: 2 * 512 + 0x200)
        file[0x1f1] = 1
        file.store(UInt16(0xaa55), at: 0x1fe)
        file[0x200] = 0xeb
        file[0x201] = 0x6a
        file.store(UInt32(0x5372_6448), at: 0x202)
        file.store(version, at: 0x206)
        file[0x211] = loadFlags
        file.store(lastRAMDiskByte, at: 0x22c)
        file.store(flags, at: 0x236)
        file.store(commandLineSize, at: 0x238)
        file.store(preferredAddress, at: 0x258)
        file.store(neededSize, at: 0x260)
        return file + code
    }
}

private let testMachineFiles =
    "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/.build/testvm"

/// Where `scripts/setup testvm` puts Debian's kernel; nil where it has not.
let debianKernel: (image: String, elf: String)? = {
    let folder = "\(testMachineFiles)/kernel"
    guard let release = try? readText("\(folder)/release").split(whereSeparator: \.isWhitespace).first else {
        return nil
    }
    let pair = (image: "\(folder)/boot/vmlinuz-\(release)", elf: "\(folder)/boot/vmlinux")
    return access(pair.image, R_OK) == 0 && access(pair.elf, R_OK) == 0 ? pair : nil
}()

/// Debian's kernel for machines of all kinds, which has the driver vmgenid; nil where `scripts/setup test testvm` has not put
/// it. Its modules are not there.
let debianGenerationKernel: String? = {
    let path = "\(testMachineFiles)/kernel-vmgenid/boot/vmlinux"
    return access(path, R_OK) == 0 ? path : nil
}()
