"""What set-up says, in English and Chinese; Plumbline's own catalogue is not installed yet."""

import locale
import os

CHINESE = {
    # progress
    "Plumbline is set up ({seconds:.0f} s).": "准绳安装完成（{seconds:.0f} 秒）。",
    "Install system packages: {packages}": "安装系统软件包：{packages}",
    "Create the environment {folder}": "创建运行环境 {folder}",
    "Install {n} packages": "安装 {n} 个软件包",
    "Install Plumbline itself": "安装准绳本体",
    "Check the installation": "检查安装结果",
    "{n} of {total} packages": "{n}/{total} 个软件包",
    "unpacking": "解包",
    # outcomes
    "What to do: {hint}": "处理办法：{hint}",
    "The details are in {log}": "详情见 {log}",
    "Cancelled; the next start finishes the set-up.": "已取消；下次启动时会完成安装。",
    "There is no display: the demo runs without a window and writes to {folder}": (
        "没有显示器：演示将不开窗口运行，结果写入 {folder}"
    ),
    "The report, the picture and the results are in {folder}": "报告、图像和结果在 {folder}",
    "No Chinese font was found; to see Chinese texts run: {command}": (
        "没有找到中文字体；要显示中文，请执行：{command}"
    ),
    # what can go wrong, and what to do about it
    "This Python lacks the modules that Plumbline needs: {modules}.": (
        "当前 Python 缺少准绳所需的模块：{modules}。"
    ),
    "Install a complete Python 3.11 or newer and start this script with it.": (
        "请安装完整的 Python 3.11 或更高版本，并用它重新运行本脚本。"
    ),
    "This Python has neither pip nor ensurepip, so that nothing can be installed.": (
        "当前 Python 没有 pip 和 ensurepip，无法安装任何软件包。"
    ),
    "Install pip (on Debian and Ubuntu: apt-get install python3-pip), then start again.": (
        "请安装 pip（Debian 和 Ubuntu：apt-get install python3-pip），然后重试。"
    ),
    "{folder} has {free:.1f} GB of free disk space, and set-up needs {need:.1f} GB.": (
        "{folder} 所在磁盘剩余 {free:.1f} GB，安装需要 {need:.1f} GB。"
    ),
    "The disk is full.": "磁盘已满。",
    "Free some space, or move the project to a larger disk, then start again.": (
        "请腾出空间，或把项目移到更大的磁盘，然后重试。"
    ),
    "{folder} cannot be written to.": "{folder} 不可写。",
    "Copy the project to a folder of your own, then start again.": (
        "请把项目复制到自己的文件夹，然后重试。"
    ),
    "The environment {folder} could not be created.": "无法创建运行环境 {folder}。",
    "Delete that folder if it is there, then start again.": "如该文件夹已存在，请删除后重试。",
    "These system libraries are missing: {names}.": "缺少以下系统库：{names}。",
    "Run this command once, then start again: {command}": "请执行一次以下命令，然后重试：{command}",
    "Install them with the system's package manager, then start again.": (
        "请用系统的软件包管理器安装，然后重试。"
    ),
    "The system packages could not be installed.": "系统软件包安装失败。",
    "Check the network and the package sources, or run it yourself: {command}": (
        "请检查网络和软件源，或自行执行：{command}"
    ),
    "The packages could not be downloaded: the package index cannot be reached.": (
        "无法下载软件包：连接不到软件包源。"
    ),
    "Check the network and pip's configuration (pip config list), or pass --wheelhouse FOLDER.": (
        "请检查网络和 pip 配置（pip config list），或用 --wheelhouse 指定离线包文件夹。"
    ),
    "A package differs from the one that was locked, so nothing was installed.": (
        "有软件包与锁定的内容不一致，未安装任何软件包。"
    ),
    "Start again; if it stays so, do not trust that source of packages.": (
        "请重试；如仍然如此，请勿信任该软件包来源。"
    ),
    "There is no ready-made package {name} for this Python ({version}) and system.": (
        "没有适用于当前 Python（{version}）和系统的软件包 {name}。"
    ),
    "Use Python 3.11 to 3.13 on Linux, Windows or macOS, or complete the folder of packages.": (
        "请在 Linux、Windows 或 macOS 上使用 Python 3.11 至 3.13，或补全离线包文件夹。"
    ),
    "The packages could not be installed.": "软件包安装失败。",
    "Start again; if it fails again, send the log to whoever looks after Plumbline.": (
        "请重试；如仍失败，请把日志发给维护人员。"
    ),
    "The installed packages do not work on this computer.": "已安装的软件包在本机无法运行。",
    "There is no display, so that no window can be opened for the files.": (
        "没有显示器，无法为这些文件打开窗口。"
    ),
    "Without a display use: {command}": "无显示器时请使用：{command}",
    "There is no folder {folder} to take packages from.": "没有存放软件包的文件夹 {folder}。",
    "Give the folder that holds the .whl files.": "请指定存放 .whl 文件的文件夹。",
    "There is no command {command}.": "没有命令 {command}。",
    "Use run, test or setup; --help explains them.": "可用命令：run、test、setup；说明见 --help。",
}


class SetupError(Exception):
    """Set-up cannot go on: one sentence, and what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def speaks_chinese() -> bool:
    """Tell whether the system's language is Chinese."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((n for n in names if n), "") or (locale.getlocale()[0] or "")
    return name.lower().startswith(("zh", "chinese"))


def say(english: str, /, **fields: object) -> str:
    """Return a text in the user's language, its fields filled in."""
    return (CHINESE[english] if speaks_chinese() else english).format(**fields)
