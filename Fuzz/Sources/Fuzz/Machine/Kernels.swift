import CFuzzer
import Glibc
import GuestMemory

@testable import Machines

extension Target {
    /// What a machine loads, as files of strangers.
    static let kernels = [
        Target("kernel") { bytes in
            var source = Bytes(bytes)
            let wanted = source.choice(BootProtocol.allCases)
            // An initial RAM disk of this size, and the command line's.
            let (diskSize, lineSize) = (UInt64(source.number(UInt32.self)) % (5 << 20), Int(source.number(UInt16.self)))
            let map = AddressMap(memory: UInt64(memory.size))
            guard let file = image(source.remaining),
                let kernel = try? LoadedKernel.load(file, wanted, into: memory, map)
            else { return }
            require(kernel.claim.lowerBound >= AddressMap.highMemory, "a kernel below 1 MiB: \(kernel)")
            require(kernel.claim.upperBound <= map.lowEnd, "a kernel outside memory: \(kernel)")
            require(kernel.claim.contains(kernel.entry), "a kernel is entered where it is not: \(kernel)")
            require(kernel.bootProtocol != .automatic, "a kernel is entered in no way")
            var parameters = BootParameters(
                kernel: kernel, initialRAMDisk: nil, commandLine: String(repeating: "x", count: lineSize), map: map,
                rootPointer: AddressMap.acpi)
            if let disk = hole(diskSize),
                let loaded = try? InitialRAMDisk.load(disk, beside: kernel, into: memory, map)
            {
                require(loaded.size == diskSize, "an initial RAM disk of another size")
                require(loaded.address >= kernel.claim.upperBound, "an initial RAM disk in the kernel: \(loaded)")
                require(loaded.address + loaded.size <= map.lowEnd, "an initial RAM disk outside memory: \(loaded)")
                require(
                    loaded.address + loaded.size - 1 <= kernel.lastRAMDiskByte,
                    "an initial RAM disk too high: \(loaded)")
                parameters.initialRAMDisk = loaded
            }
            try? parameters.write(to: memory)
        }
    ]

    private static let memory: GuestMemory = {
        let memory = try! GuestMemory(AddressMap(memory: 4 << 20).regions)
        memory.withRegion(0) { guardPages($0) }
        return memory
    }()
    private static let imageFile = fuzz_file("image")
    private static let holeFile = fuzz_file("hole")

    private static func image(_ bytes: [UInt8]) -> ImageFile? {
        ftruncate(imageFile, off_t(bytes.count))
        pwrite(imageFile, bytes, bytes.count, 0)
        return try? ImageFile("/proc/self/fd/\(imageFile)", .kernel)
    }

    private static func hole(_ size: UInt64) -> ImageFile? {
        ftruncate(holeFile, off_t(size))
        return try? ImageFile("/proc/self/fd/\(holeFile)", .initialRAMDisk)
    }
}
