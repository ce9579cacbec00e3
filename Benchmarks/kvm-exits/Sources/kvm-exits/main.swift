// What an exit costs through the KVM module, against a plain C loop over KVM_RUN, on the host's own /dev/kvm.
//
// The guest is 64-bit code in ring 3, which runs natively even where ring 0 is emulated: it writes to a port, reads a
// port, writes and reads an address without memory, for ever. Both loops run the same vCPU in turn and do the same with
// each exit; the ratio that counts is the median of the rounds' own.
import Glibc
import KVM
import Linux
import Plain

let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 201
let exits = 500
let target = 1.05

/// The guest's kinds of exits, each as a loop.
let guests: [(name: String, code: [UInt8])] = [
    ("port write", [0xe6, 0x10, 0xeb, 0xfc]),  // out 0x10, al; jmp
    ("port read", [0xe4, 0x10, 0xeb, 0xfc]),  // in al, 0x10; jmp
    ("memory write", [0x89, 0x04, 0x25, 0, 0, 0x10, 0, 0xeb, 0xf7]),  // mov [0x100000], eax; jmp
    ("memory read", [0x8b, 0x04, 0x25, 0, 0, 0x10, 0, 0xeb, 0xf7]),  // mov eax, [0x100000]; jmp
]

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// A number with two digits after the point; Foundation's formats are not here.
func text(_ value: Double) -> String {
    let cents = Int((value * 100).rounded())
    return "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
}

func makeVCPU(_ hypervisor: borrowing Hypervisor, _ machine: borrowing VirtualMachine) throws(SystemError) -> VCPU {
    let vcpu = try machine.makeVCPU(0)
    try vcpu.setCPUID(try hypervisor.supportedCPUID())
    var special = try vcpu.specialRegisters()
    special.cs = .code(selector: 0x0b, bits: 64, ring: 3)
    let data = Segment.data(selector: 0x13, bits: 64, ring: 3)
    (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data)
    special.cr3 = 0x2000
    special.cr4 = 1 << 5  // PAE
    special.cr0 = 1 << 31 | 1 << 4 | 1  // PG, ET, PE
    special.efer = 1 << 10 | 1 << 8  // LMA, LME
    try vcpu.setSpecialRegisters(special)
    return vcpu
}

/// The exits through the module: nanoseconds, or nil on one that should not be.
func moduleExits(_ vcpu: inout VCPU, _ count: Int, _ sum: inout UInt64) throws(SystemError) -> Int64? {
    var all: UInt64 = 0
    var isFine = true
    let begin = plain_now()
    for _ in 0..<count {
        try vcpu.run { exit in
            switch exit {
            case .portWrite(let write): all &+= UInt64(write.value)
            case .portRead(let read): read.fill(7)
            case .memoryWrite(_, _, let value): all &+= value
            case .memoryRead(let read): read.fill(7)
            default: isFine = false
            }
        }
    }
    let time = plain_now() - begin
    sum &+= all
    return isFine ? time : nil
}

do {
    let hypervisor = try Hypervisor()
    let machine = try hypervisor.makeMachine()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 0x10000, alignment: 0x1000)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    // The first 2 MiB as they are, for every ring.
    memory.storeBytes(of: 0x3007, toByteOffset: 0x2000, as: UInt64.self)
    memory.storeBytes(of: 0x4007, toByteOffset: 0x3000, as: UInt64.self)
    memory.storeBytes(of: 0x0087, toByteOffset: 0x4000, as: UInt64.self)
    try machine.setMemory(slot: 0, at: 0, memory)
    var vcpu = try makeVCPU(hypervisor, machine)
    print("\(try hypervisor.measureRingZero())")
    print("\(rounds) rounds of \(exits) exits; nanoseconds an exit")

    var (sum, worst) = (UInt64(0), 0.0)
    for guest in guests {
        memory[0x1000..<0x1000 + guest.code.count].copyBytes(from: guest.code)
        var registers = Registers()
        registers.rip = 0x1000
        registers.rflags = 3 << 12 | 2  // ports are ring 3's to use
        try vcpu.setRegisters(registers)

        var (ours, plain, ratios): ([Double], [Double], [Double]) = ([], [], [])
        var allocations = 0
        for round in -3..<rounds {
            let first = round % 2 == 0
            var times: (ours: Int64, plain: Int64) = (0, 0)
            for turn in [first, !first] {
                if turn {
                    let before = plain_allocations()
                    guard let time = try moduleExits(&vcpu, exits, &sum) else { fatalError("an exit of another kind") }
                    allocations += plain_allocations() - before
                    times.ours = time
                } else {
                    times.plain = plain_exits(vcpu.descriptor.rawValue, exits, &sum)
                    guard times.plain > 0 else { fatalError("an exit of another kind") }
                }
            }
            // The first rounds warm up.
            if round < 0 { continue }
            ours.append(Double(times.ours) / Double(exits))
            plain.append(Double(times.plain) / Double(exits))
            ratios.append(Double(times.ours) / Double(times.plain))
        }
        let ratio = median(ratios)
        worst = max(worst, ratio)
        print(
            "\(guest.name): KVM module \(text(median(ours))), plain C \(text(median(plain))), ratio \(text(ratio)), "
                + "allocations \(allocations)")
        if allocations != 0 { exit(1) }
    }
    print("target: at most \(text(target)); \(worst <= target ? "met" : "missed")")
    exit(worst <= target ? 0 : 3)
} catch {
    print("kvm-exits: \(error)")
    exit(1)
}
