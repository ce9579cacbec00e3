// Lesson: what a virtual machine is. It needs /dev/kvm: `swift run lesson-kvm`.
//
// A machine is memory of ours that is shown to a guest, and a processor that runs there until it does something that only
// we can answer: an exit. This guest says hello on a port, asks on another port for a number, doubles it and halts.
import Glibc
import KVM
import Linux

#if arch(x86_64)
    let guest: [UInt8] = [
        0xbe, 0x00, 0x02,  //       mov si, 0x200       the text
        0xac,  //             next: lodsb               al = the next character
        0x84, 0xc0,  //             test al, al
        0x74, 0x04,  //             jz asks             after the last
        0xe6, 0xe9,  //             out 0xe9, al        an exit: a port is written
        0xeb, 0xf7,  //             jmp next
        0xe4, 0x10,  //       asks: in al, 0x10         an exit: a port is read
        0x00, 0xc0,  //             add al, al
        0xa2, 0x00, 0x80,  //       mov [0x8000], al    an exit: there is no memory
        0xf4,  //                   hlt                 an exit: nothing more to do
    ]

    do {
        let machine = try Hypervisor().makeMachine()
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 0x1000, alignment: 0x1000)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        memory.copyBytes(from: guest)
        memory[0x200...].copyBytes(from: Array("hello from ring 0\n".utf8))
        try machine.setMemory(slot: 0, at: 0, memory)

        var vcpu = try machine.makeVCPU(0)
        // A processor begins at the top of memory, in 16-bit code. Ours begins at address 0.
        var segments = try vcpu.specialRegisters()
        segments.cs.base = 0
        segments.cs.selector = 0
        try vcpu.setSpecialRegisters(segments)
        try vcpu.setRegisters(Registers())

        var (isOn, exits, text) = (true, 0, "")
        while isOn {
            exits += 1
            try vcpu.run { exit in
                switch exit {
                case .portWrite(let write): text.unicodeScalars.append(Unicode.Scalar(UInt8(write.value)))
                case .portRead(let read): read.fill(21)
                case .memoryWrite(0x8000, _, let value): print("\(text)at 0x8000 it says \(value)")
                case .halt: isOn = false
                default: fatalError("an exit that this guest has no reason for")
                }
            }
        }
        print("\(exits) exits, and rip is \(try vcpu.registers().rip)")
    } catch {
        print("lesson-kvm: \(error)")
        exit(1)
    }
#else
    print("lesson-kvm: its guest is x86 code")
    exit(1)
#endif
